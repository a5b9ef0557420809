-- What the migration runner remembers. It runs before every migration and changes nothing when
-- it is there already.

do $$
begin
    -- `if not exists` alone would ask for the right to make it where it is there.
    if to_regnamespace('flowledger') is null then
        create schema flowledger;
    end if;
end
$$;

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

-- Of several processes that migrate, one goes on and the others wait here.
lock table flowledger.migration in share update exclusive mode;
