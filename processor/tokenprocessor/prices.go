// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package tokenprocessor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/pricing"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tiktoken"
	"github.com/otelcol-mlflow/otelcol-mlflow/processor/tokenprocessor/internal/metadata"
)

const (
	// lookEvery is how often the price file is looked at. Watching it would miss what some network and container file
	// systems do not announce.
	lookEvery = 10 * time.Second
	// maxFile is the largest price file; LiteLLM's has 3 MB.
	maxFile = 64 << 20
)

// table says where prices are from.
type table int

const (
	ofEmbedded table = iota
	ofFile
	numTables
)

// attributes of the tables' metrics.
var attributesOf = [numTables]metric.MeasurementOption{
	ofEmbedded: metric.WithAttributeSet(attribute.NewSet(attribute.String("table", "embedded"))),
	ofFile:     metric.WithAttributeSet(attribute.NewSet(attribute.String("table", "file"))),
}

// prices is the price tables in use: the models of the user's file come before those of the embedded table.
type prices struct {
	names     map[string]string // of models, by the names that spans have
	embedded  *pricing.Table
	file      atomic.Pointer[pricing.Table] // nil if there is none
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	path string      // of the file, empty if there is none
	seen os.FileInfo // of the file when it was last looked at, nil if it was not there
	stop context.CancelFunc
	done sync.WaitGroup
}

func newPrices(c *Config, logger *zap.Logger, telemetry *metadata.TelemetryBuilder) (*prices, error) {
	p := &prices{names: make(map[string]string), path: c.Pricing.File, logger: logger, telemetry: telemetry, stop: func() {}}
	for name, meant := range c.Models {
		if _, ok := tiktoken.ForModel(meant); ok { // it is not an encoding
			p.names[name] = meant
		}
	}
	var err error
	p.embedded, err = pricing.Embedded()
	return p, err
}

// start reads the price file, and again whenever it changes, until shutdown. A file that cannot be read at the start is an
// error; later, the prices read before stay in use.
func (p *prices) start(ctx context.Context) error {
	if err := p.telemetry.RegisterTokenPriceTableAgeCallback(p.observeAge); err != nil {
		return err
	}
	if p.path == "" {
		return nil
	}
	if _, err := p.look(ctx); err != nil {
		return fmt.Errorf("`pricing::file`: %w", err)
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.done.Go(func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			switch changed, err := p.look(ctx); {
			case !changed:
			case err != nil:
				p.logger.Warn("Failed to read the changed `pricing::file`, the prices read before stay in use", zap.Error(err))
			default:
				p.logger.Info("Read the changed `pricing::file`")
			}
		}
	})
	return nil
}

func (p *prices) shutdown() {
	p.stop()
	p.done.Wait()
}

// look reads the file if it is not as it was when it was last looked at.
func (p *prices) look(ctx context.Context) (changed bool, err error) {
	before := p.seen
	p.seen, err = os.Stat(p.path)
	switch {
	case err != nil:
		p.seen, changed = nil, before != nil
	case before != nil && os.SameFile(before, p.seen) && before.ModTime().Equal(p.seen.ModTime()) && before.Size() == p.seen.Size():
		return false, nil
	default:
		var table *pricing.Table
		if table, err = readTable(p.path, p.seen.ModTime()); err == nil {
			p.file.Store(table)
		}
		changed = true
	}
	if changed {
		outcome := "success"
		if err != nil {
			outcome = "failure"
		}
		p.telemetry.TokenPriceFileLoads.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	}
	return changed, err
}

func readTable(path string, modified time.Time) (*pricing.Table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s has more than %d MiB", path, maxFile>>20)
	}
	table, err := pricing.Parse(filepath.Base(path), modified.UTC(), data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return table, nil
}

// cost returns what a call costs, and by which table. A model is looked for by the name of the one that answered, then of
// the one that was asked for, in the user's file as they stand on the span before what `models` says of them.
func (p *prices) cost(call *pricing.Call, answered, asked string) (cost pricing.Cost, from table, reason pricing.Reason) {
	if file := p.file.Load(); file != nil {
		for _, call.Model = range [...]string{answered, asked, p.names[answered], p.names[asked]} {
			if cost, reason = file.Cost(call); reason != pricing.ReasonUnknownModel {
				return cost, ofFile, reason
			}
		}
	}
	for _, call.Model = range [...]string{cmp.Or(p.names[answered], answered), p.names[asked]} {
		if cost, reason = p.embedded.Cost(call); reason != pricing.ReasonUnknownModel {
			break
		}
	}
	return cost, ofEmbedded, reason
}

func (p *prices) observeAge(_ context.Context, observer metric.Int64Observer) error {
	for from, table := range [numTables]*pricing.Table{ofEmbedded: p.embedded, ofFile: p.file.Load()} {
		if table != nil {
			observer.Observe(int64(time.Since(table.Date()).Seconds()), attributesOf[from])
		}
	}
	return nil
}
