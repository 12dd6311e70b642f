-- A role for the exporter's `store::type: postgres` that can add runs to MLflow's database and do nothing else: it changes
-- and deletes nothing, and reads neither prompts nor responses. Run it in that database as its owner or an administrator:
--
--   psql "$MLFLOW_DATABASE" -f deploy/postgres/role.sql
--   psql "$MLFLOW_DATABASE" -c '\password otelcol_mlflow'
--
-- MLflow must have made its tables. It can be run again. Where they are in a schema other than public, which the role then
-- looks in by itself:
--
--   PGOPTIONS='-c search_path=mlflow' psql "$MLFLOW_DATABASE" -f deploy/postgres/role.sql

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'otelcol_mlflow') THEN
        CREATE ROLE otelcol_mlflow LOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO otelcol_mlflow', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO otelcol_mlflow', current_schema());
    IF current_schema() <> 'public' THEN -- the exporter looks where this script does
        EXECUTE format('ALTER ROLE otelcol_mlflow IN DATABASE %I SET search_path TO %I', current_database(), current_schema());
    END IF;
END
$$;

-- Which schema the database has, and which experiments take runs.
GRANT SELECT ON alembic_version, experiments TO otelcol_mlflow;

-- Of what is written, only whether a run is there can be read.
GRANT INSERT ON runs, params, tags, metrics, latest_metrics TO otelcol_mlflow;
GRANT SELECT (run_uuid) ON runs TO otelcol_mlflow;
