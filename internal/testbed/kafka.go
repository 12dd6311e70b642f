// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kafka is a running Kafka broker, which is also its own controller (KRaft).
type Kafka struct {
	*Process
	Address string // host:port of the broker
}

// StartKafka starts a broker on a free port, with its data and log in dir. It makes topics when they are written to, with
// four partitions, and takes messages of 64 MiB.
func StartKafka(ctx context.Context, dir string) (*Kafka, error) {
	jars, err := Made(".tools/kafka", "test-kafka")
	if err != nil {
		return nil, fmt.Errorf("Kafka is not installed: %w", err)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("Kafka needs a JDK: %w", err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	broker, controller := LoopbackAddress(ports[0]), LoopbackAddress(ports[1])
	properties := filepath.Join(dir, "server.properties")
	err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(properties, []byte(strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + controller,
		"listeners=PLAINTEXT://" + broker + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + broker,
		"controller.listener.names=CONTROLLER",
		"log.dirs=" + filepath.Join(dir, "data"),
		"num.partitions=4",
		"message.max.bytes=67108864",
		"offsets.topic.replication.factor=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
		"",
	}, "\n")), 0o600))
	if err != nil {
		return nil, err
	}
	classes := filepath.Join(jars, "*")
	// The id is any UUID, in base64.
	format := exec.CommandContext(ctx, java, "-cp", classes, "kafka.tools.StorageTool", "format", "-t", "b3RlbGNvbC1tbGZsb3ctMQ", "-c", properties)
	if output, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("formatting Kafka's storage: %w\n%s", err, output)
	}
	log := filepath.Join(dir, "kafka.log")
	process, err := StartProcess(ctx, ProcessConfig{
		Name: "Kafka",
		Path: java,
		Args: []string{"-Xmx512m", "-cp", classes, "kafka.Kafka", properties},
		Dir:  dir,
		Log:  log,
		Ready: func(context.Context) error {
			said, err := os.ReadFile(log)
			if err == nil && !bytes.Contains(said, []byte("Kafka Server started")) {
				err = errors.New("its log does not say that it has started")
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return &Kafka{Process: process, Address: broker}, nil
}
