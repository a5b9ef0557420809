-- What the migration runner remembers. It runs before every migration and changes nothing when
-- it is there already.

create schema if not exists flowledger;

-- A migration runs once; its checksum tells when a file was edited afterwards.
create table if not exists flowledger.migration (
    number     integer     primary key,
    name       text        not null,
    sha256     bytea       not null,
    applied_at timestamptz not null default now()
);

-- Functions and views are applied again when the checksum of their file has changed.
create table if not exists flowledger.applied_file (
    path       text        primary key,
    sha256     bytea       not null,
    applied_at timestamptz not null default now()
);
