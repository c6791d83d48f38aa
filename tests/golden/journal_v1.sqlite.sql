CREATE TABLE pn_meta (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
)
 STRICT;

CREATE TABLE pn_incident (
    id TEXT NOT NULL,
    category TEXT NOT NULL,
    status TEXT NOT NULL,
    next_sequence INTEGER NOT NULL,
    follows TEXT,
    exercise INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    due_at INTEGER,
    reminders INTEGER DEFAULT 0 NOT NULL,
    reminded_at INTEGER,
    PRIMARY KEY (id)
)
 STRICT;

CREATE TABLE pn_person (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    sealed BLOB,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE ("key")
)
 STRICT;

CREATE TABLE pn_suppression (
    channel TEXT NOT NULL,
    "key" TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (channel, "key")
)
 STRICT;

CREATE TABLE pn_channel (
    name TEXT NOT NULL,
    tat INTEGER,
    paused_until INTEGER,
    blocked_at INTEGER,
    reason TEXT NOT NULL,
    remedy TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (name)
)
 STRICT;

CREATE TABLE pn_channel_state (
    channel TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (channel, name)
)
 STRICT;

CREATE TABLE pn_lock (
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (name)
)
 STRICT;

CREATE TABLE pn_blob (
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    data BLOB NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (digest)
)
 STRICT;

CREATE TABLE pn_runner (
    owner TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    is_worker INTEGER DEFAULT false NOT NULL,
    blocked TEXT,
    PRIMARY KEY (owner)
)
 STRICT;

CREATE TABLE pn_event (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    publication TEXT,
    delivery INTEGER,
    channel TEXT,
    body TEXT NOT NULL,
    salt TEXT NOT NULL,
    commitment TEXT NOT NULL,
    xid INTEGER DEFAULT 0 NOT NULL
)
 STRICT;

CREATE TABLE pn_seal (
    id INTEGER NOT NULL,
    last_xid INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    previous TEXT NOT NULL,
    digest TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    signature BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (id)
)
 STRICT;

CREATE TABLE pn_publication (
    id TEXT NOT NULL,
    "key" TEXT,
    state TEXT NOT NULL,
    incident TEXT,
    sequence INTEGER,
    stage TEXT NOT NULL,
    category TEXT NOT NULL,
    severity TEXT NOT NULL,
    corrects TEXT,
    digest TEXT NOT NULL,
    message TEXT NOT NULL,
    findings TEXT NOT NULL,
    rules TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT pn_publication_sequence UNIQUE (incident, sequence),
    CONSTRAINT pn_publication_state CHECK (state IN ('published', 'refused_by_check')),
    UNIQUE ("key"),
    FOREIGN KEY(incident) REFERENCES pn_incident (id)
)
 STRICT;

CREATE TABLE pn_picture (
    owner TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (owner, digest),
    FOREIGN KEY(digest) REFERENCES pn_blob (digest)
)
 STRICT;

CREATE TABLE pn_draft (
    id TEXT NOT NULL,
    "key" TEXT,
    for_keys TEXT NOT NULL,
    category TEXT NOT NULL,
    exercise INTEGER NOT NULL,
    state TEXT NOT NULL,
    typed TEXT NOT NULL,
    submitted_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    expires_at INTEGER,
    publication TEXT,
    due_at INTEGER,
    authenticated INTEGER NOT NULL,
    content TEXT NOT NULL,
    mac TEXT NOT NULL,
    reminders INTEGER DEFAULT 0 NOT NULL,
    reminded_at INTEGER,
    PRIMARY KEY (id),
    UNIQUE ("key"),
    FOREIGN KEY(publication) REFERENCES pn_publication (id)
)
 STRICT;

CREATE TABLE pn_delivery (
    id INTEGER NOT NULL,
    publication TEXT NOT NULL,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    language TEXT NOT NULL,
    part INTEGER NOT NULL,
    operation TEXT NOT NULL,
    target INTEGER,
    parent INTEGER,
    number INTEGER,
    post_key TEXT NOT NULL,
    ordering_key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    in_doubt INTEGER NOT NULL,
    has_recipients INTEGER NOT NULL,
    reading INTEGER DEFAULT false NOT NULL,
    cursor TEXT,
    counts TEXT,
    held INTEGER DEFAULT 0 NOT NULL,
    halt TEXT DEFAULT '' NOT NULL,
    needs_opening INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER,
    attempts INTEGER NOT NULL,
    first_tried_at INTEGER,
    last_tried_at INTEGER,
    owner TEXT,
    lease_until INTEGER,
    reply_to TEXT NOT NULL,
    standalone TEXT,
    reply TEXT,
    wording TEXT NOT NULL,
    request_version INTEGER NOT NULL,
    request TEXT,
    mac TEXT NOT NULL,
    request_mac TEXT NOT NULL,
    ref TEXT,
    ref_mac TEXT NOT NULL,
    reason TEXT NOT NULL,
    remedy TEXT NOT NULL,
    code TEXT NOT NULL,
    settled_at INTEGER,
    unseen_at TEXT,
    backoff INTEGER DEFAULT 0 NOT NULL,
    trace TEXT,
    PRIMARY KEY (id),
    CONSTRAINT pn_delivery_batch UNIQUE (parent, number),
    FOREIGN KEY(publication) REFERENCES pn_publication (id),
    FOREIGN KEY(target) REFERENCES pn_delivery (id),
    FOREIGN KEY(parent) REFERENCES pn_delivery (id),
    UNIQUE (post_key)
)
 STRICT;

CREATE TABLE pn_attempt (
    delivery INTEGER NOT NULL,
    number INTEGER NOT NULL,
    owner TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    reason TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (delivery, number),
    FOREIGN KEY(delivery) REFERENCES pn_delivery (id)
)
 STRICT;

CREATE TABLE pn_recipient (
    delivery INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    person INTEGER NOT NULL,
    state TEXT NOT NULL,
    in_doubt INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    code TEXT NOT NULL,
    gone INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (delivery, batch, person),
    FOREIGN KEY(delivery) REFERENCES pn_delivery (id),
    FOREIGN KEY(person) REFERENCES pn_person (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE pn_report (
    delivery INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    status TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (delivery, "key", kind),
    FOREIGN KEY(delivery) REFERENCES pn_delivery (id)
)
 STRICT;

CREATE INDEX ix_pn_delivery_publication ON pn_delivery (publication);

CREATE INDEX ix_pn_draft_publication ON pn_draft (publication);

CREATE INDEX ix_pn_event_publication ON pn_event (publication);

CREATE INDEX ix_pn_picture_digest ON pn_picture (digest);

CREATE INDEX ix_pn_report_at ON pn_report (at);

CREATE INDEX pn_attempt_failed ON pn_attempt (delivery, outcome) WHERE outcome <> 'posted';

CREATE INDEX pn_delivery_due ON pn_delivery (state, channel, priority, id, operation, parent);

CREATE INDEX pn_delivery_ended ON pn_delivery (state) WHERE has_recipients AND halt NOT IN ('', 'paused');

CREATE INDEX pn_delivery_held ON pn_delivery (publication, held) WHERE held > 0;

CREATE INDEX pn_delivery_order ON pn_delivery (ordering_key, id);

CREATE INDEX pn_delivery_people ON pn_delivery (state, channel) WHERE has_recipients;

CREATE INDEX pn_draft_due ON pn_draft (due_at);

CREATE INDEX pn_draft_state ON pn_draft (state, expires_at);

CREATE INDEX pn_event_counted ON pn_event (kind) WHERE kind IN ('approved', 'returned', 'rejected', 'second_reading', 'overdue', 'second_reading_overdue', 'clock_set');

CREATE INDEX pn_event_order ON pn_event (xid, id);

CREATE INDEX pn_incident_open ON pn_incident (status, due_at);

CREATE INDEX pn_person_stored ON pn_person (stored_at) WHERE sealed IS NOT NULL;

CREATE INDEX pn_publication_corrects ON pn_publication (corrects);

CREATE INDEX pn_publication_counts ON pn_publication (category, stage, severity, state);

CREATE INDEX pn_recipient_gone ON pn_recipient (delivery, gone) WHERE gone > 0;

CREATE INDEX pn_report_key ON pn_report ("key", channel);

CREATE UNIQUE INDEX pn_publication_one_opening ON pn_publication (incident) WHERE stage = 'opening' AND state = 'published';

CREATE UNIQUE INDEX pn_recipient_person ON pn_recipient (person, delivery);
