// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/semconv"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
)

// The commands of docs/operations.md delete what is known of a user, of a persona and of days long ago, and nothing else.
// Nothing of it is left in MLflow's database or artifacts, and a copy that was made before has all.
func TestCommandsOfTheDocsBackUpAndDelete(t *testing.T) {
	t.Parallel() // MLflow takes long to start
	dir := t.TempDir()
	mlflow, err := testbed.StartMLflow(t.Context(), testbed.MLflowConfig{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mlflow.Stop()) })
	collector := startCollector(t, "otelcol-mlflow.yaml", mlflow.URL)

	// What each says is too long for a param, so that it is in an artifact too.
	today := time.Now()
	secrets := []string{"of the user", "of the persona", "of long ago", "to keep"}
	for i, call := range []struct {
		persona, user string
		at            time.Time
	}{
		{"support_agent", "ada", today},
		{"tech_educator", "bob", today},
		{"support_agent", "bob", today.AddDate(0, -6, 0)},
		{"support_agent", "bob", today},
	} {
		traces := newCall(call.persona, strings.Repeat(secrets[i]+". ", 1000))
		span := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		span.Attributes().PutStr(semconv.UserID, call.user)
		testbed.Stamp(span, call.at.Add(-time.Second), call.at)
		require.NoError(t, collector.SendHTTP(t.Context(), traces))
	}
	waitFor(t, "all calls are written", func() bool {
		size, err := collector.OwnMetrics(t.Context(), "otelcol_exporter_queue_size")
		require.NoError(t, err)
		return size[0] == 0
	})
	require.Equal(t, []int{1, 1, 1, 1}, countFilesWith(t, filepath.Join(dir, "artifacts"), secrets, "prompt.txt"))
	require.Equal(t, []int{1, 1, 1, 1}, countFilesWith(t, dir, secrets, "mlflow.db"))

	page := readPage(t, dir, "MLFLOW_TRACKING_URI="+mlflow.URL, "MLFLOW_DATABASE=sqlite:///"+filepath.Join(dir, "mlflow.db"))
	page.run("SQLite")
	deletion, retention := page.blocks("Deleting what is known of a persona or a user"), page.blocks("Retention")
	require.Len(t, deletion, 3)
	require.Len(t, retention, 2)
	for _, block := range []string{deletion[0], deletion[1], retention[0]} {
		page.bash(block)
	}
	// Deleted a moment ago, so that it is not yet removed, as it is by the last command.
	page.bash(retention[1])
	require.Equal(t, []int{1, 1, 1, 1}, countFilesWith(t, filepath.Join(dir, "artifacts"), secrets, "prompt.txt"))
	page.bash(deletion[2])

	runs, err := testbed.NewReader(mlflow.URL).Runs(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.Contains(t, runs[0].Params["prompt"], "to keep")
	require.NoError(t, mlflow.Stop())
	require.Equal(t, []int{0, 0, 0, 2}, countFilesWith(t, filepath.Join(dir, "artifacts"), secrets, "")) // prompt.txt, messages.json
	page.bash("python -c 'import sqlite3; sqlite3.connect(\"mlflow.db\").execute(\"VACUUM\")'")          // ends what the page says stays in the file
	require.Equal(t, []int{0, 0, 0, 1}, countFilesWith(t, dir, secrets, "mlflow.db"))
	require.Equal(t, []int{1, 1, 1, 1}, countFilesWith(t, dir, secrets, "backup.db"))

	// The queue's file keeps the bytes of what was written, until the collector is restarted as the page says.
	require.NoError(t, collector.Stop())
	queue := filepath.Join(filepath.Dir(collector.LogFile()), "storage")
	require.NotEqual(t, []int{0, 0, 0, 0}, countFilesWith(t, queue, secrets, ""))
	restarted, err := testbed.StartCollector(t.Context(), testbed.CollectorConfig{
		Configs: []string{shippedConfig(t, "otelcol-mlflow.yaml")},
		Set:     []string{strings.ReplaceAll(page.found(`--set '(extensions\.file_storage\.compaction=.*?)'`), "/var/lib/otelcol-mlflow", queue)},
		Dir:     filepath.Dir(collector.LogFile()),
	})
	require.NoError(t, err)
	require.NoError(t, restarted.Stop())
	require.Equal(t, []int{0, 0, 0, 0}, countFilesWith(t, queue, secrets, ""))
}

// The other commands of docs/operations.md, as far as they can be run without what they are for.
func TestCommandsOfTheDocsAreUnderstood(t *testing.T) {
	dir := t.TempDir()
	page := readPage(t, dir)
	root, err := testbed.Root()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Join(root, "_build"), filepath.Join(dir, "_build")))
	for _, heading := range []string{"Install", "Debug mode"} { // not started: its ports may be taken
		command := page.blocks(heading)[0]
		require.Contains(t, command, "otelcol-mlflow --config")
		page.bash(strings.Replace(command, "otelcol-mlflow --config", "otelcol-mlflow validate --config", 1))
	}

	asked := make(chan string, 1)
	prometheus := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.Path + " " + r.FormValue("match[]")
	}))
	defer prometheus.Close()
	page.bash(strings.Replace(page.found("`(curl -g .*?)`"), "http://prometheus:9090", prometheus.URL, 1))
	require.Equal(t, `POST /api/v1/admin/tsdb/delete_series {persona_id="tech_educator"}`, <-asked)
}

// What pg_dump makes by the command of docs/operations.md restores to the same rows.
func TestCommandsOfTheDocsBackUpPostgreSQL(t *testing.T) {
	uri, persona := testbed.SharedPostgres(t), newPersona()
	mlflow := testbed.SharedMLflow(t)
	collector := startCollector(t, "otelcol-mlflow.yaml", mlflow)
	call := newCall(persona, "What is 2+2?")
	require.NoError(t, collector.SendHTTP(t.Context(), call))
	requireEachOnce(t, collector, mlflow, persona, []string{spanID(call)})

	restored := "restored_" + strings.ToLower(persona)
	page := readPage(t, t.TempDir(), "MLFLOW_DATABASE="+uri, "RESTORED="+strings.TrimSuffix(testbed.DSN(uri, "postgres"), "postgres")+restored)
	page.bash(`createdb --maintenance-db="${MLFLOW_DATABASE/+psycopg2/}" ` + restored)
	t.Cleanup(func() { page.bash(`dropdb --maintenance-db="${MLFLOW_DATABASE/+psycopg2/}" ` + restored) })
	page.run("PostgreSQL")
	question := `SELECT key, value FROM params WHERE run_uuid IN (SELECT run_uuid FROM tags WHERE value = '` + spanID(call) + `') ORDER BY key`
	answer := page.bash(`psql --no-psqlrc --tuples-only "$RESTORED" --command "` + question + `"`)
	require.Contains(t, answer, "What is 2+2?")
	require.Equal(t, page.bash(`psql --no-psqlrc --tuples-only "${MLFLOW_DATABASE/+psycopg2/}" --command "`+question+`"`), answer)
}

// page is docs/operations.md, whose commands are run in a folder.
type page struct {
	t    *testing.T
	text string
	dir  string
	env  []string
}

func readPage(t *testing.T, dir string, env ...string) page {
	t.Helper()
	root, err := testbed.Root()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	require.NoError(t, err)
	python, err := testbed.Made(".venv/bin", ".venv")
	require.NoError(t, err)
	postgres, err := testbed.PostgresPrograms()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Join(root, "deploy"), filepath.Join(dir, "deploy")))
	return page{t, string(text), dir, append(env,
		"PATH="+strings.Join([]string{python, postgres, os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"MLFLOW_DISABLE_TELEMETRY=true", "GIT_PYTHON_REFRESH=quiet")}
}

// blocks are the commands below a heading.
func (p page) blocks(heading string) []string {
	p.t.Helper()
	_, section, found := strings.Cut(p.text, "# "+heading+"\n")
	require.True(p.t, found, heading)
	section, _, _ = strings.Cut(section, "\n#")
	var blocks []string
	for i, part := range strings.Split(section, "```") {
		if commands, isBash := strings.CutPrefix(part, "bash\n"); isBash && i%2 == 1 {
			blocks = append(blocks, commands)
		}
	}
	require.NotEmpty(p.t, blocks, heading)
	return blocks
}

// found is what a pattern's group finds first on the page.
func (p page) found(pattern string) string {
	p.t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(p.text)
	require.NotNil(p.t, match, pattern)
	return match[1]
}

// run runs all commands below a heading.
func (p page) run(heading string) {
	p.t.Helper()
	for _, block := range p.blocks(heading) {
		p.bash(block)
	}
}

// bash runs commands and returns what they print.
func (p page) bash(commands string) string {
	p.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(p.t.Context()), "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir, cmd.Env = p.dir, append(testbed.CleanEnv(), p.env...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	output, err := cmd.Output()
	require.NoError(p.t, err, "%s\n%s%s", commands, output, problem.String())
	return string(output)
}

// countFilesWith is in how many of the files of a name (any if it is empty) below a folder each of the texts is.
func countFilesWith(t *testing.T, folder string, texts []string, name string) []int {
	t.Helper()
	counts := make([]int, len(texts))
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || name != "" && entry.Name() != name {
			return err
		}
		content, err := os.ReadFile(path)
		for i, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				counts[i]++
			}
		}
		return err
	}))
	return counts
}
