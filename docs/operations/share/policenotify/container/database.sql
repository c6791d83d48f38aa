-- Run once, by the image of PostgreSQL, when its volume is empty: the owner of the journal, the role of the
-- application, and the database. Each password is read from the URL by which the role connects.
\set owner `sed -nE 's|^postgresql://policenotify:([^:@/]+)@.*$|\1|p' /run/secrets/owner-url`
\set application `sed -nE 's|^postgresql://policenotify_app:([^:@/]+)@.*$|\1|p' /run/secrets/journal-url`
CREATE ROLE policenotify LOGIN PASSWORD :'owner';
CREATE ROLE policenotify_app LOGIN PASSWORD :'application';
CREATE DATABASE policenotify OWNER policenotify ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;
REVOKE ALL ON DATABASE policenotify FROM PUBLIC;
GRANT CONNECT ON DATABASE policenotify TO policenotify_app;
