-- Reads the server's version, as a number and in words.
select current_setting('server_version_num')::int, current_setting('server_version');
