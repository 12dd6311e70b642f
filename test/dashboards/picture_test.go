// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build live

package dashboards

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// A picture is a dashboard's panels with what Prometheus answers, drawn here, because there is no Grafana in this test: the
// places, titles, queries, units and legends are the dashboard's, the looks are not.
type picture struct {
	t      *testing.T
	prom   prom
	end    time.Time     // of what is shown
	span   time.Duration // that graphs show
	window string        // of rates
	svg    strings.Builder
}

// drawn is a panel, as far as it is drawn.
type drawn struct {
	Type, Title, Repeat string
	GridPos             struct{ W, H int }
	Targets             []struct{ RefID, Expr, LegendFormat string }
	FieldConfig         struct {
		Defaults  struct{ Unit string }
		Overrides []struct {
			Matcher    struct{ Options string }
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
	Transformations []struct {
		ID      string
		Options struct {
			IndexByName  map[string]int
			RenameByName map[string]string
		}
	}
}

// Pixels per unit of the grid, and around it.
const (
	unitW, unitH   = 50, 30
	header, footer = 36, 24
)

var palette = []string{"#3274d9", "#e0752d", "#299c46", "#a352cc", "#c4162a", "#c69b06", "#0a8c8c", "#8f3bb8"}

// drawAll draws every dashboard: the last day of the history where that has it, else the time in which calls were sent.
func drawAll(t *testing.T, p prom, historyEnd time.Time, dir string) {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	for _, name := range []string{"personas", "latency", "models", "prompts", "tools", "anomalies", "pipeline"} {
		pic := &picture{t: t, prom: p, end: historyEnd, span: 24 * time.Hour, window: "15m"}
		source := "A day of simulated calls"
		if name == "tools" || name == "pipeline" {
			pic.end, pic.span, pic.window, source = time.Now(), 20*time.Second, "10s", "Calls through the collector into MLflow"
		}
		content, err := os.ReadFile(filepath.Join(root, "deploy", "grafana", "dashboards", name+".json"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".svg"), pic.draw(content, source), 0o600))
	}
}

func (p *picture) draw(dashboard []byte, source string) []byte {
	var d struct {
		Title  string
		Panels []drawn
	}
	require.NoError(p.t, json.Unmarshal(dashboard, &d))
	var panels []drawn
	for _, panel := range d.Panels {
		if panel.Repeat == "" {
			panels = append(panels, panel)
			continue
		}
		for _, v := range p.now(`count by (persona_id) (persona:gen_ai_tokens:median1d)`) {
			one, name := panel, v.labels["persona_id"]
			one.Title = strings.ReplaceAll(panel.Title, "$persona", name)
			one.Targets = slices.Clone(panel.Targets)
			for i := range one.Targets {
				one.Targets[i].Expr = strings.ReplaceAll(one.Targets[i].Expr, "$persona", name)
			}
			panels = append(panels, one)
		}
	}
	x, y, height := 0, 0, 0
	for _, panel := range panels {
		if x+panel.GridPos.W > 24 || panel.Type == "row" {
			x, y, height = 0, y+height, 0
		}
		p.panel(panel, float64(x*unitW)+3, float64(header+y*unitH)+3, float64(panel.GridPos.W*unitW)-6, float64(panel.GridPos.H*unitH)-6)
		x += panel.GridPos.W
		height = max(height, panel.GridPos.H)
	}
	total := header + (y+height)*unitH + footer
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="%d" viewBox="0 0 1200 %d" font-family="sans-serif" font-size="11">`+
		`<rect width="1200" height="%d" fill="#f4f5f5"/><text x="10" y="24" font-size="16" font-weight="bold">%s</text>`, total, total, total, html.EscapeString(d.Title))
	foot := fmt.Sprintf(`<text x="10" y="%d" fill="#666">%s, as a Prometheus has them. Drawn by test/dashboards from the dashboard&#39;s JSON, not by Grafana.</text></svg>`,
		total-8, source)
	return []byte(head + p.svg.String() + foot)
}

func (p *picture) text(x, y float64, anchor, style, text string) {
	fmt.Fprintf(&p.svg, `<text x="%.0f" y="%.0f" text-anchor="%s" %s>%s</text>`, x, y, anchor, style, html.EscapeString(text))
}

func (p *picture) panel(d drawn, x, y, w, h float64) {
	if d.Type == "row" {
		p.text(x+6, y+18, "start", `font-size="13" font-weight="bold"`, d.Title)
		return
	}
	fmt.Fprintf(&p.svg, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="3" fill="#fff" stroke="#ddd"/>`, x, y, w, h)
	p.text(x+8, y+17, "start", `font-weight="bold"`, d.Title)
	switch d.Type {
	case "stat":
		for _, s := range p.now(d.Targets[0].Expr) {
			p.text(x+w/2, y+h/2+20, "middle", `font-size="26" fill="#299c46"`, format(s.value, d.FieldConfig.Defaults.Unit))
		}
	case "bargauge":
		for i, s := range p.now(d.Targets[0].Expr) {
			top := y + 34 + float64(i)*30
			fmt.Fprintf(&p.svg, `<rect x="%.0f" y="%.0f" width="%.0f" height="16" fill="%s"/>`, x+150, top, max(1, min(1, s.value)*(w-220)), palette[0])
			p.text(x+144, top+12, "end", "", legend(d.Targets[0].LegendFormat, s.labels))
			p.text(x+w-8, top+12, "end", "", format(s.value, d.FieldConfig.Defaults.Unit))
		}
	case "table":
		p.table(d, x, y, w, h)
	case "heatmap":
		p.heatmap(d, x, y, w, h)
	default:
		p.graph(d, x, y, w, h)
	}
}

// value is an element of the answer to a query.
type value struct {
	labels map[string]string
	value  float64
	line   []float64 // over time; NaN where there is none
}

func (p *picture) expr(expr string) string {
	expr = strings.NewReplacer("$__range", fmt.Sprintf("%ds", int(p.span.Seconds())), "$__rate_interval", p.window).Replace(expr)
	return variables.ReplaceAllString(expr, `".*"`)
}

// now is what an expression is at the end.
func (p *picture) now(expr string) []value {
	var data struct{ Result []sample }
	p.prom.get(p.t, "query", url.Values{"query": {p.expr(expr)}, "time": {instant(p.end)}}, &data)
	var all []value
	for _, s := range data.Result {
		if v := parse(p.t, s.Value[1]); !math.IsNaN(v) {
			all = append(all, value{labels: s.Metric, value: v})
		}
	}
	return all
}

const points = 80

// over is what an expression was over time.
func (p *picture) over(expr string) []value {
	end := p.end.Truncate(time.Second)
	step := p.span / points
	var data struct{ Result []sample }
	p.prom.get(p.t, "query_range", url.Values{
		"query": {p.expr(expr)}, "start": {instant(end.Add(-p.span))}, "end": {instant(end)},
		"step": {fmt.Sprintf("%.3f", step.Seconds())},
	}, &data)
	var all []value
	for _, s := range data.Result {
		line := slices.Repeat([]float64{math.NaN()}, points+1)
		for _, v := range s.Values {
			at := time.UnixMilli(int64(v[0].(float64) * 1000))
			if i := int(math.Round(float64(at.Sub(end.Add(-p.span))) / float64(step))); i >= 0 && i <= points {
				line[i] = parse(p.t, v[1])
			}
		}
		all = append(all, value{labels: s.Metric, line: line})
	}
	return all
}

func parse(t *testing.T, text any) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text.(string), 64)
	require.NoError(t, err)
	return v
}

func (p *picture) graph(d drawn, x, y, w, h float64) {
	left, right, top, bottom := x+56, x+w-10, y+28, y+h-50
	most := 0.0
	type named struct {
		name string
		line []float64
	}
	var lines []named
	for _, target := range d.Targets {
		for _, v := range p.over(target.Expr) {
			lines = append(lines, named{legend(target.LegendFormat, v.labels), v.line})
			for _, n := range v.line {
				if !math.IsNaN(n) && !math.IsInf(n, 0) {
					most = max(most, n)
				}
			}
		}
	}
	most = nice(most)
	for i := range 4 {
		at := bottom - (bottom-top)*float64(i)/3
		fmt.Fprintf(&p.svg, `<path d="M%.0f %.0fH%.0f" stroke="#eee"/>`, left, at, right)
		p.text(left-4, at+4, "end", `fill="#666"`, format(most*float64(i)/3, d.FieldConfig.Defaults.Unit))
	}
	p.times(left, right, bottom)
	at := func(i int, n float64) string {
		return fmt.Sprintf("%.0f %.1f", left+(right-left)*float64(i)/points, bottom-(bottom-top)*n/most)
	}
	hidden := map[string]bool{}
	for _, o := range d.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "custom.fillBelowTo" {
				hidden[o.Matcher.Options], hidden[fmt.Sprint(property.Value)] = true, true
				p.band(lines[slices.IndexFunc(lines, func(l named) bool { return l.name == o.Matcher.Options })].line,
					lines[slices.IndexFunc(lines, func(l named) bool { return l.name == property.Value })].line, at)
			}
		}
	}
	next, legendX, legendY := 0, left-46, bottom+30
	for _, l := range lines {
		color := "#b5c7ea"
		if !hidden[l.name] {
			color = palette[next%len(palette)]
			next++
			var path strings.Builder
			pen := "M"
			for i, n := range l.line {
				if math.IsNaN(n) || math.IsInf(n, 0) {
					pen = "M"
					continue
				}
				path.WriteString(pen + at(i, n))
				pen = "L"
			}
			fmt.Fprintf(&p.svg, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`, path.String(), color)
		}
		width := 16 + 6*float64(len(l.name))
		if legendX+width > x+w {
			legendX, legendY = left-46, legendY+13
		}
		if legendY < y+h {
			fmt.Fprintf(&p.svg, `<rect x="%.0f" y="%.0f" width="8" height="3" fill="%s"/>`, legendX, legendY-5, color)
			p.text(legendX+11, legendY, "start", "", l.name)
		}
		legendX += width
	}
}

func (p *picture) times(left, right, bottom float64) {
	end := p.end.UTC()
	layout := "15:04"
	if p.span < time.Hour {
		layout = "15:04:05"
	}
	for i := range 4 {
		at := end.Add(-p.span + p.span*time.Duration(i)/3)
		anchor := []string{"start", "middle", "middle", "end"}[i]
		p.text(left+(right-left)*float64(i)/3, bottom+13, anchor, `fill="#666" font-size="9"`, at.Format(layout))
	}
}

func (p *picture) band(upper, lower []float64, at func(int, float64) string) {
	var there, back []string
	for i := range upper {
		if !math.IsNaN(upper[i]) && !math.IsNaN(lower[i]) {
			there = append(there, at(i, upper[i]))
			back = append(back, at(i, lower[i]))
		}
	}
	slices.Reverse(back)
	if len(there) > 0 {
		fmt.Fprintf(&p.svg, `<path d="M%sZ" fill="#b5c7ea" opacity="0.5"/>`, strings.Join(append(there, back...), "L"))
	}
}

func (p *picture) heatmap(d drawn, x, y, w, h float64) {
	left, right, top, bottom := x+56, x+w-10, y+28, y+h-24
	buckets := p.over(d.Targets[0].Expr)
	bound := func(v value) float64 { return parse(p.t, v.labels["le"]) }
	slices.SortFunc(buckets, func(a, b value) int { return int(math.Copysign(1, bound(a)-bound(b))) })
	most, previous := 0.0, make([]float64, points+1)
	for b := range buckets {
		for i, n := range buckets[b].line {
			if math.IsNaN(n) {
				n = 0
			}
			buckets[b].line[i], previous[i] = max(0, n-previous[i]), n
			most = max(most, buckets[b].line[i])
		}
	}
	cellW, cellH := (right-left)/points, (bottom-top)/float64(len(buckets))
	for b, v := range buckets {
		for i, n := range v.line {
			if n > most/50 {
				fmt.Fprintf(&p.svg, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#e0752d" opacity="%.2f"/>`,
					left+cellW*float64(i), bottom-cellH*float64(b+1), cellW, cellH, n/most)
			}
		}
		if b%3 == 0 {
			p.text(left-4, bottom-cellH*float64(b), "end", `fill="#666" font-size="9"`, v.labels["le"]+" s")
		}
	}
	p.times(left, right, bottom)
}

func (p *picture) table(d drawn, x, y, w, h float64) {
	organize := d.Transformations[1].Options
	fields := slices.SortedFunc(maps.Keys(organize.IndexByName), func(a, b string) int { return organize.IndexByName[a] - organize.IndexByName[b] })
	units := map[string]string{}
	for _, o := range d.FieldConfig.Overrides {
		units[o.Matcher.Options] = fmt.Sprint(o.Properties[0].Value)
	}
	rows := map[string]map[string]string{}
	size := map[string]float64{}
	for i, target := range d.Targets {
		for _, v := range p.now(target.Expr) {
			key := fmt.Sprint(v.labels)
			if rows[key] == nil {
				rows[key] = maps.Clone(v.labels)
			}
			field := "Value #" + target.RefID
			rows[key][field] = format(v.value, units[organize.RenameByName[field]])
			if i == 0 {
				size[key] = v.value
			}
		}
	}
	columnX := func(i int) float64 { return x + 10 + (w-20)*float64(i)/float64(len(fields)) }
	for i, field := range fields {
		p.text(columnX(i), y+40, "start", `fill="#3274d9"`, organize.RenameByName[field])
	}
	keys := slices.SortedFunc(maps.Keys(rows), func(a, b string) int { return int(math.Copysign(1, size[b]-size[a])) })
	for r, key := range keys {
		at := y + 62 + float64(r)*20
		if at > y+h-4 {
			break
		}
		for i, field := range fields {
			p.text(columnX(i), at, "start", "", rows[key][field])
		}
	}
}

var labelReference = regexp.MustCompile(`\{\{(\w+)\}\}`)

func legend(format string, labels map[string]string) string {
	return labelReference.ReplaceAllStringFunc(format, func(reference string) string {
		return labels[strings.Trim(reference, "{}")]
	})
}

// nice is a round number that is not less.
func nice(n float64) float64 {
	if n <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(n)))
	for _, m := range []float64{1, 1.5, 3, 6, 10} {
		if n <= m*power {
			return m * power
		}
	}
	return 10 * power
}

// format writes a number in a unit of Grafana.
func format(n float64, unit string) string {
	switch unit {
	case "currencyUSD":
		return "$" + short3(n)
	case "percentunit":
		return short3(100*n) + "%"
	case "s":
		if n < 1 && n > 0 {
			return short3(1000*n) + " ms"
		}
		return short3(n) + " s"
	case "bytes":
		return short3(n) + "B"
	case "cps":
		return short3(n) + "/s"
	case "cpm":
		return short3(n) + "/min"
	}
	return short3(n)
}

// short3 writes a number with three digits.
func short3(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if math.Abs(n) >= unit.size {
			return strconv.FormatFloat(n/unit.size, 'g', 3, 64) + unit.name
		}
	}
	return strconv.FormatFloat(n, 'g', 3, 64)
}
