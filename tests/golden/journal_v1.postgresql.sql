CREATE TABLE pn_meta (
    name VARCHAR(64) NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
);

COMMENT ON TABLE pn_meta IS 'Facts about the whole journal: schema version, keys'' fingerprint, stop.';

CREATE TABLE pn_incident (
    id VARCHAR(64) NOT NULL,
    category VARCHAR(64) NOT NULL,
    status VARCHAR(16) NOT NULL,
    next_sequence INTEGER NOT NULL,
    follows VARCHAR(64),
    exercise BOOLEAN NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    due_at BIGINT,
    reminders INTEGER DEFAULT 0 NOT NULL,
    reminded_at BIGINT,
    PRIMARY KEY (id)
);

COMMENT ON TABLE pn_incident IS 'One event. Its row lock makes the order of sequence the order of commit.';

CREATE TABLE pn_person (
    id BIGSERIAL NOT NULL,
    key VARCHAR(32) NOT NULL,
    key_version INTEGER NOT NULL,
    sealed BYTEA,
    stored_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (key)
);

COMMENT ON TABLE pn_person IS 'People; their addresses are erased 30 days after the last incident that reached them has closed.';

CREATE TABLE pn_suppression (
    channel VARCHAR(64) NOT NULL,
    key VARCHAR(32) NOT NULL,
    source VARCHAR(16) NOT NULL,
    evidence TEXT NOT NULL,
    at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (channel, key)
);

COMMENT ON TABLE pn_suppression IS 'People who must not be written to, on a channel or on all.';

CREATE TABLE pn_channel (
    name VARCHAR(64) NOT NULL,
    tat BIGINT,
    paused_until BIGINT,
    blocked_at BIGINT,
    reason TEXT NOT NULL,
    remedy TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (name)
);

COMMENT ON TABLE pn_channel IS 'Block, pause and limiter of a channel, shared by all processes.';

CREATE TABLE pn_channel_state (
    channel VARCHAR(64) NOT NULL,
    name VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (channel, name)
);

COMMENT ON TABLE pn_channel_state IS 'Sessions and rotating tokens, encrypted, changed by compare-and-swap.';

CREATE TABLE pn_lock (
    name VARCHAR(200) NOT NULL,
    owner VARCHAR(32) NOT NULL,
    lease_until BIGINT NOT NULL,
    length BIGINT NOT NULL,
    PRIMARY KEY (name)
);

COMMENT ON TABLE pn_lock IS 'Exclusive locks across processes; a row exists while a lock is held.';

CREATE TABLE pn_blob (
    digest VARCHAR(64) NOT NULL,
    media_type VARCHAR(64) NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    data BYTEA NOT NULL,
    stored_at BIGINT NOT NULL,
    PRIMARY KEY (digest)
);

COMMENT ON TABLE pn_blob IS 'Images, named by their SHA-256.';

CREATE TABLE pn_runner (
    owner TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    is_worker BOOLEAN DEFAULT false NOT NULL,
    blocked TEXT,
    PRIMARY KEY (owner)
);

COMMENT ON TABLE pn_runner IS 'Heartbeats of the processes that deliver.';

CREATE TABLE pn_event (
    id BIGSERIAL NOT NULL,
    at BIGINT NOT NULL,
    actor VARCHAR(200) NOT NULL,
    kind VARCHAR(40) NOT NULL,
    publication VARCHAR(26),
    delivery BIGINT,
    channel VARCHAR(64),
    body TEXT NOT NULL,
    salt VARCHAR(32) NOT NULL,
    commitment VARCHAR(64) NOT NULL,
    xid BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

COMMENT ON TABLE pn_event IS 'Who did what and when. Rows are only added. A purge empties body and salt.';

CREATE TABLE pn_seal (
    id BIGINT NOT NULL,
    last_xid BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    previous VARCHAR(64) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    key_version INTEGER NOT NULL,
    signature BYTEA NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (id)
);

COMMENT ON TABLE pn_seal IS 'Closed batches of events, chained and signed.';

CREATE TABLE pn_publication (
    id VARCHAR(26) NOT NULL,
    key VARCHAR(200),
    state VARCHAR(20) NOT NULL,
    incident VARCHAR(64),
    sequence INTEGER,
    stage VARCHAR(16) NOT NULL,
    category VARCHAR(64) NOT NULL,
    severity VARCHAR(8) NOT NULL,
    corrects VARCHAR(26),
    digest VARCHAR(64) NOT NULL,
    message TEXT NOT NULL,
    findings TEXT NOT NULL,
    rules TEXT NOT NULL,
    actor VARCHAR(200) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT pn_publication_sequence UNIQUE (incident, sequence),
    CONSTRAINT pn_publication_state CHECK (state IN ('published', 'refused_by_check')),
    UNIQUE (key),
    FOREIGN KEY(incident) REFERENCES pn_incident (id)
);

COMMENT ON TABLE pn_publication IS 'One message as published, or a draft that a check refused.';

CREATE TABLE pn_picture (
    owner VARCHAR(26) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    PRIMARY KEY (owner, digest),
    FOREIGN KEY(digest) REFERENCES pn_blob (digest)
);

COMMENT ON TABLE pn_picture IS 'Which publications and drafts show an image. One that none shows is erased.';

CREATE TABLE pn_draft (
    id VARCHAR(26) NOT NULL,
    key VARCHAR(200),
    for_keys VARCHAR(200) NOT NULL,
    category VARCHAR(64) NOT NULL,
    exercise BOOLEAN NOT NULL,
    state VARCHAR(12) NOT NULL,
    typed VARCHAR(64) NOT NULL,
    submitted_by VARCHAR(200) NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    expires_at BIGINT,
    publication VARCHAR(26),
    due_at BIGINT,
    authenticated BOOLEAN NOT NULL,
    content TEXT NOT NULL,
    mac VARCHAR(80) NOT NULL,
    reminders INTEGER DEFAULT 0 NOT NULL,
    reminded_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (key),
    FOREIGN KEY(publication) REFERENCES pn_publication (id)
);

COMMENT ON TABLE pn_draft IS 'A message that others read before it is published, or after an urgent publication.';

CREATE TABLE pn_delivery (
    id BIGSERIAL NOT NULL,
    publication VARCHAR(26) NOT NULL,
    channel VARCHAR(64) NOT NULL,
    account TEXT NOT NULL,
    language VARCHAR(35) NOT NULL,
    part INTEGER NOT NULL,
    operation VARCHAR(8) NOT NULL,
    target BIGINT,
    parent BIGINT,
    number INTEGER,
    post_key VARCHAR(64) NOT NULL,
    ordering_key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    state VARCHAR(12) NOT NULL,
    in_doubt BOOLEAN NOT NULL,
    has_recipients BOOLEAN NOT NULL,
    reading BOOLEAN DEFAULT false NOT NULL,
    cursor TEXT,
    counts TEXT,
    held INTEGER DEFAULT 0 NOT NULL,
    halt VARCHAR(12) DEFAULT '' NOT NULL,
    needs_opening BOOLEAN NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT,
    attempts INTEGER NOT NULL,
    first_tried_at BIGINT,
    last_tried_at BIGINT,
    owner TEXT,
    lease_until BIGINT,
    reply_to TEXT NOT NULL,
    standalone TEXT,
    reply TEXT,
    wording VARCHAR(12) NOT NULL,
    request_version INTEGER NOT NULL,
    request TEXT,
    mac VARCHAR(80) NOT NULL,
    request_mac VARCHAR(80) NOT NULL,
    ref TEXT,
    ref_mac VARCHAR(80) NOT NULL,
    reason TEXT NOT NULL,
    remedy TEXT NOT NULL,
    code TEXT NOT NULL,
    settled_at BIGINT,
    unseen_at VARCHAR(80),
    backoff BIGINT DEFAULT 0 NOT NULL,
    trace VARCHAR(55),
    PRIMARY KEY (id),
    CONSTRAINT pn_delivery_batch UNIQUE (parent, number),
    FOREIGN KEY(publication) REFERENCES pn_publication (id),
    FOREIGN KEY(target) REFERENCES pn_delivery (id),
    FOREIGN KEY(parent) REFERENCES pn_delivery (id),
    UNIQUE (post_key)
);

COMMENT ON TABLE pn_delivery IS 'One (publication, channel, language, part, operation), or a batch of its people: what is claimed.';

CREATE TABLE pn_attempt (
    delivery BIGINT NOT NULL,
    number INTEGER NOT NULL,
    owner TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    outcome VARCHAR(12),
    reason TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (delivery, number),
    FOREIGN KEY(delivery) REFERENCES pn_delivery (id)
);

COMMENT ON TABLE pn_attempt IS 'Committed before anything is sent: an attempt without an end is in doubt.';

CREATE TABLE pn_recipient (
    delivery BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    person BIGINT NOT NULL,
    state VARCHAR(12) NOT NULL,
    in_doubt BOOLEAN NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    code TEXT NOT NULL,
    gone INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (delivery, batch, person),
    FOREIGN KEY(delivery) REFERENCES pn_delivery (id),
    FOREIGN KEY(person) REFERENCES pn_person (id)
)
 WITH (fillfactor = 70);

COMMENT ON TABLE pn_recipient IS 'One person of a delivery with recipients, in one of its batches.';

CREATE TABLE pn_report (
    delivery BIGINT NOT NULL,
    key VARCHAR(32) NOT NULL,
    kind VARCHAR(12) NOT NULL,
    channel VARCHAR(64) NOT NULL,
    status VARCHAR(32) NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (delivery, key, kind),
    FOREIGN KEY(delivery) REFERENCES pn_delivery (id)
);

COMMENT ON TABLE pn_report IS 'What came back about a person, from the network at once or afterwards. Kept for 30 days.';

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

CREATE INDEX pn_report_key ON pn_report (key, channel);

CREATE UNIQUE INDEX pn_publication_one_opening ON pn_publication (incident) WHERE stage = 'opening' AND state = 'published';

CREATE UNIQUE INDEX pn_recipient_person ON pn_recipient (person, delivery);
