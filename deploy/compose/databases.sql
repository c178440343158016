-- Runs once, when the database server is new: a database per service, one owner for migrations, and
-- login roles for each service's processes, which get their rights from the migrations alone.
\set owner `cat /secrets/postgres/owner_password`
\set issuer `cat /secrets/postgres/issuer_password`
\set revocation `cat /secrets/postgres/revocation_password`
\set audit `cat /secrets/postgres/audit_password`
\set issuer_admin `cat /secrets/postgres/issuer_admin_password`
\set audit_reader `cat /secrets/postgres/audit_reader_password`

CREATE ROLE revocast_owner LOGIN PASSWORD :'owner';
CREATE ROLE revocast_issuer LOGIN PASSWORD :'issuer';
CREATE ROLE revocast_revocation LOGIN PASSWORD :'revocation';
CREATE ROLE revocast_audit LOGIN PASSWORD :'audit';
CREATE ROLE revocast_issuer_admin LOGIN PASSWORD :'issuer_admin';
CREATE ROLE revocast_audit_reader LOGIN PASSWORD :'audit_reader';

CREATE DATABASE revocast_issuer OWNER revocast_owner;
CREATE DATABASE revocast_revocation OWNER revocast_owner;
CREATE DATABASE revocast_audit OWNER revocast_owner;
REVOKE ALL ON DATABASE revocast_issuer, revocast_revocation, revocast_audit FROM PUBLIC;
GRANT CONNECT ON DATABASE revocast_issuer TO revocast_issuer, revocast_issuer_admin;
GRANT CONNECT ON DATABASE revocast_revocation TO revocast_revocation;
GRANT CONNECT ON DATABASE revocast_audit TO revocast_audit, revocast_audit_reader;
