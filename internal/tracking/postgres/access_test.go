// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-mlflow/otelcol-mlflow/internal/testbed"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking"
	"github.com/otelcol-mlflow/otelcol-mlflow/internal/tracking/postgres"
)

const password = "p:a@s/s?w#0rd"

func TestADSNOfAnotherDatabaseIsRefused(t *testing.T) {
	for dsn, want := range map[string]string{
		"":                    "must be a PostgreSQL connection string",
		"sqlite:///mlflow.db": "runs are not written to other databases",
		"mysql+pymysql://u:" + password + "@h/db": "runs are not written to other databases",
		"postgresql://u:" + password + "@h/db":    "%40",
		"postgresql://u:%zz" + password + "@h":    "is no PostgreSQL connection string",
		"host=h password='" + password:            "is no PostgreSQL connection string",
		password:                                  "is no PostgreSQL connection string",
	} {
		err := postgres.CheckDSN(dsn)
		require.ErrorContains(t, err, want, dsn)
		assert.NotContains(t, err.Error(), "0rd")
		assert.NotContains(t, fmt.Sprintf("%+v", err), "0rd")
	}
	for _, dsn := range []string{
		"postgresql+psycopg2://otelcol_mlflow@db:5432/mlflow?sslmode=require", "postgres://u:p%40ss@db/mlflow", "host=db dbname=mlflow",
	} {
		require.NoError(t, postgres.CheckDSN(dsn), dsn)
	}
}

func TestWhatIsWrongWithTheDatabaseIsSaid(t *testing.T) {
	s := shared(t)
	conn := s.admin(t)
	run(t, conn, "CREATE DATABASE empty", "CREATE ROLE nobody LOGIN", "CREATE ROLE reader LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
		"GRANT INSERT ON runs, params TO reader")
	free, err := testbed.FreePort()
	require.NoError(t, err)
	address := s.Postgres.Address
	for name, test := range map[string]struct{ dsn, want string }{
		"no server":                    {"postgres://u:" + password0 + "@" + testbed.LoopbackAddress(free) + "/mlflow", "connection refused"},
		"no such database":             {"postgres://otelcol_mlflow:" + password0 + "@" + address + "/nothing", "names a database that is not there"},
		"no such user":                 {"postgres://somebody:" + password0 + "@" + address + "/postgres", "user or password"},
		"not MLflow's":                 {"postgres://postgres:" + password0 + "@" + address + "/empty", "this is not MLflow's database"},
		"no rights":                    {"postgres://nobody:" + password0 + "@" + address + "/postgres", "lacks SELECT on alembic_version, SELECT on experiments, INSERT on runs"},
		"not all rights":               {"postgres://reader:" + password0 + "@" + address + "/postgres", "lacks INSERT on tags, INSERT on metrics, INSERT on latest_metrics: run deploy/postgres/role.sql"},
		"a server that refuses writes": {"postgres://otelcol_mlflow:" + password0 + "@" + address + "/postgres?default_transaction_read_only=on", "takes no writes"},
	} {
		t.Run(name, func(t *testing.T) {
			store := s.open(t, postgres.Config{DSN: test.dsn, Timeout: 5 * time.Second})
			for _, err := range []error{store.Check(t.Context()), store.Write(t.Context(), newRuns(tracking.Experiment{ID: "0", Name: "Default"}, 1))[0].Err} {
				e := asError(t, err)
				assert.Equal(t, tracking.Retryable, e.Class)
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, e), password0)
			}
			require.ErrorContains(t, store.Check(t.Context()), test.want)
		})
	}
}

// password0 needs no escapes in a URL.
const password0 = "s3cr3t-0f-the-house"

func TestAWrongPasswordIsSaidAndNotShown(t *testing.T) {
	s := shared(t)
	conn := s.admin(t)
	var hba string
	require.NoError(t, conn.QueryRow(t.Context(), "SHOW hba_file").Scan(&hba))
	run(t, conn, "CREATE ROLE with_password LOGIN PASSWORD 'another'",
		"COPY (VALUES ('host all with_password 127.0.0.1/32 scram-sha-256'), ('host all all 127.0.0.1/32 trust')) TO '"+hba+"'",
		"SELECT pg_reload_conf()")
	dsn := strings.Replace(s.dsn(), "otelcol_mlflow@", "with_password:"+password0+"@", 1)
	store := s.open(t, postgres.Config{DSN: dsn})
	waitFor(t, func() bool {
		err := store.Check(t.Context())
		return err != nil && strings.Contains(err.Error(), "user or password")
	})
	require.NotContains(t, fmt.Sprintf("%+v", store.Check(t.Context())), password0)
}

func TestTheRoleCanAddRunsAndNothingElse(t *testing.T) {
	s := shared(t)
	store, experiment := s.open(t, postgres.Config{}), s.newExperiment(t)
	requireWritten(t, store.Write(t.Context(), newRuns(experiment, 1)), false)
	conn := connect(t, s.dsn())
	for _, forbidden := range []string{
		"SELECT value FROM params", "SELECT value FROM tags", "SELECT name FROM runs", "SELECT value FROM metrics", "SELECT value FROM latest_metrics",
		"UPDATE runs SET name = 'x'", "UPDATE experiments SET name = 'x'", "DELETE FROM runs", "DELETE FROM params", "TRUNCATE tags",
		"INSERT INTO experiments (name) VALUES ('x')", "UPDATE alembic_version SET version_num = 'x'", "SELECT * FROM trace_info",
		"CREATE TABLE mine (a int)", "DROP TABLE runs",
	} {
		_, err := conn.Exec(t.Context(), forbidden)
		require.ErrorContains(t, err, "42501", forbidden)
	}
}

// As docs/bulk-store.md says.
func TestTheRoleCanBeRemovedAndMadeAgain(t *testing.T) {
	s := shared(t)
	run(t, s.admin(t), "DROP OWNED BY otelcol_mlflow", "DROP ROLE otelcol_mlflow")
	for range 2 { // the script can be run again
		require.NoError(t, testbed.RunScript(t.Context(), s.Postgres.URI, "deploy/postgres/role.sql"))
	}
	requireWritten(t, s.open(t, postgres.Config{}).Write(t.Context(), newRuns(s.newExperiment(t), 1)), false)
}

const makeTables = `
import sys
from mlflow.store.db import utils
utils._initialize_tables(utils.create_sqlalchemy_engine(sys.argv[1]))
`

func TestTablesMayBeInASchemaOfTheirOwn(t *testing.T) {
	s := shared(t)
	run(t, s.admin(t), "CREATE DATABASE elsewhere")
	database := strings.TrimSuffix(s.Postgres.URI, "postgres") + "elsewhere"
	inSchema := database + "?options=-csearch_path%3Dmlflow"
	conn := connect(t, testbed.DSN(inSchema, "postgres"))
	run(t, conn, "CREATE SCHEMA mlflow")
	python, err := testbed.MLflowProgram("python")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "-c", makeTables, inSchema)
	cmd.Env = testbed.CleanEnv()
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.NoError(t, testbed.RunScript(t.Context(), inSchema, "deploy/postgres/role.sql"))
	run(t, conn, "INSERT INTO experiments (experiment_id, name, lifecycle_stage, artifact_location) VALUES (7, 'seven', 'active', '/artifacts')")

	store := s.open(t, postgres.Config{DSN: testbed.DSN(database, "otelcol_mlflow")})
	require.NoError(t, store.Check(t.Context()))
	seven := tracking.Experiment{ID: "7", Name: "seven"}
	requireWritten(t, store.Write(t.Context(), newRuns(seven, 3)), false)
	requireComplete(t, conn, seven, 3)
}
