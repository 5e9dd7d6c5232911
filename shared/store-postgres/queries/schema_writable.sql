-- Tells whether this is a standby, whether transactions may write, and whether the role may change the tables.
select
    pg_is_in_recovery(),
    current_setting('transaction_read_only') = 'off',
    (
        select bool_and(has_table_privilege(oid, 'insert') and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))
        from pg_class where oid in ('job'::regclass, 'emission'::regclass, 'worker'::regclass)
    );
