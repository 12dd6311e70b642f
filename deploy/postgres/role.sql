-- A role for the exporter's `store::type: postgres` that can add runs to MLflow's database and do nothing else: it changes
-- and deletes nothing, and reads neither prompts nor responses. Run it in that database as an administrator, after MLflow has
-- made its tables; it can be run again:
--
--   psql "$DATABASE" -f deploy/postgres/role.sql
--   psql "$DATABASE" -c '\password otelcol_mlflow'
--
-- Where the tables are in a schema other than public, as here in mlflow, put this before psql, and the role looks there too:
--
--   PGOPTIONS='-c search_path=mlflow'
--
-- Where an administrator has no rights on MLflow's tables, as with managed servers, create the role first (CREATE ROLE
-- otelcol_mlflow LOGIN), and run this as the user that MLflow has.
\set ON_ERROR_STOP on

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'otelcol_mlflow') THEN
        CREATE ROLE otelcol_mlflow LOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO otelcol_mlflow', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO otelcol_mlflow', current_schema());
END
$$;

-- Which schema the database has, and which experiments take runs.
GRANT SELECT ON alembic_version, experiments TO otelcol_mlflow;

-- Of what is written, only whether a run is there can be read.
GRANT INSERT ON runs, params, tags, metrics, latest_metrics TO otelcol_mlflow;
GRANT SELECT (run_uuid) ON runs TO otelcol_mlflow;

-- Optional: spares the database a third to a half of the work, by not looking up the run of each param, tag and metric that was
-- inserted with it a moment ago. The collector makes use of it only while these tables have no triggers, rules or foreign keys
-- but MLflow's. PostgreSQL 15 or later, by a superuser or one who may pass it on.
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        IF has_parameter_privilege('session_replication_role', 'SET WITH GRANT OPTION') THEN
            EXECUTE 'GRANT SET ON PARAMETER session_replication_role TO otelcol_mlflow'; -- older servers cannot parse it
        END IF;
    END IF;
END
$$;

-- Needs an administrator, or the one who created the role.
DO $$
BEGIN
    IF current_schema() <> 'public' THEN
        EXECUTE format('ALTER ROLE otelcol_mlflow IN DATABASE %I SET search_path TO %I', current_database(), current_schema());
    END IF;
END
$$;
