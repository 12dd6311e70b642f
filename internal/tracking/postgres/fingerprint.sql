-- How the tables that runs are written to are made, one line for each fact. Names of constraints and indexes are left out:
-- they differ with the version that a database was made by.
WITH tables AS (
    SELECT oid, relname, relkind, relrowsecurity
    FROM pg_class
    WHERE oid IN (to_regclass('runs'), to_regclass('params'), to_regclass('tags'), to_regclass('metrics'), to_regclass('latest_metrics'))
), columns AS (
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,
           a.attgenerated, a.attidentity, coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS value
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
      AND (a.attrelid IN (SELECT oid FROM tables)
           OR a.attrelid = to_regclass('experiments') AND a.attname IN ('experiment_id', 'name', 'lifecycle_stage', 'artifact_location'))
), facts (fact) AS (
    SELECT concat_ws(' ', 'table', relname, relkind, relrowsecurity) FROM tables
    UNION ALL
    SELECT concat_ws(' ', 'column', relname, attname, type, attnotnull, attgenerated, attidentity,
                     CASE WHEN relname <> 'experiments' THEN value END)
    FROM columns
    UNION ALL
    SELECT concat_ws(' ', 'constraint', t.relname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid
    WHERE k.contype IN ('p', 'u', 'f', 'c', 'x')
    UNION ALL
    SELECT concat_ws(' ', 'unique indexes', t.relname, count(*))
    FROM pg_index i JOIN tables t ON t.oid = i.indrelid
    WHERE i.indisunique
    GROUP BY t.relname
    UNION ALL
    SELECT concat_ws(' ', 'trigger', t.relname, pg_get_triggerdef(g.oid))
    FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid
    WHERE NOT g.tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'rule', t.relname, pg_get_ruledef(r.oid))
    FROM pg_rewrite r JOIN tables t ON t.oid = r.ev_class
)
SELECT coalesce(string_agg(fact, E'\n' ORDER BY fact COLLATE "C"), '') FROM facts
