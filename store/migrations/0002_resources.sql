-- Custom resources as the embedded API server serves them. Every JSON text is kept as it goes out on the wire.

CREATE TABLE resources (
    resource  TEXT   NOT NULL,               -- plural.group, "scans.followlytics.io"; the core group has no dot
    namespace TEXT   NOT NULL,               -- '' for cluster-scoped objects
    name      TEXT   NOT NULL,
    uid       TEXT   NOT NULL,
    version   BIGINT NOT NULL,               -- metadata.resourceVersion
    labels    TEXT   NOT NULL,               -- metadata.labels, so that a selector need not parse the object
    object    TEXT   NOT NULL,
    PRIMARY KEY (resource, namespace, name)
);
CREATE UNIQUE INDEX resources_uid ON resources (uid);
CREATE INDEX resources_namespace ON resources (namespace);

-- Who owns whom, by uid: a deletion finds the dependents without reading every object.
CREATE TABLE resource_owners (
    owner_uid TEXT NOT NULL,
    uid       TEXT NOT NULL,
    PRIMARY KEY (owner_uid, uid)
);
CREATE INDEX resource_owners_uid ON resource_owners (uid);

-- What watches read. Bounded; what was dropped is remembered as a horizon per resource.
CREATE TABLE resource_events (
    version   BIGINT NOT NULL PRIMARY KEY,
    resource  TEXT   NOT NULL,
    namespace TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    type      TEXT   NOT NULL,               -- ADDED, MODIFIED, DELETED
    labels    TEXT   NOT NULL,
    object    TEXT   NOT NULL,
    previous_labels TEXT,                    -- both only when the labels changed: a selector's MODIFIED
    previous_object TEXT                     --   may be an ADDED or a DELETED
);
CREATE INDEX resource_events_resource ON resource_events (resource, version);

CREATE TABLE resource_horizons (
    resource TEXT   NOT NULL PRIMARY KEY,
    version  BIGINT NOT NULL                 -- greatest version of this resource that is no longer in the log
);

CREATE TABLE resource_version (
    id      BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO resource_version (id, version) VALUES (1, 0);
