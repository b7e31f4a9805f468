-- The books. States are words, money is integers, and what must never happen is refused here once more, whatever the
-- program above believes. Times are unix seconds; msat, sats and minor units say so in their names.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE platform (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    cash_in_ppm  INTEGER NOT NULL CHECK (cash_in_ppm BETWEEN 0 AND 1000000),
    cash_out_ppm INTEGER NOT NULL CHECK (cash_out_ppm BETWEEN 0 AND 1000000),
    target       TEXT
) STRICT;

-- pause and resume follow the time at which they were said, not the order in which relays brought them
CREATE TABLE switches (
    name    TEXT PRIMARY KEY,          -- 'payments', 'machine:<id>'; frozen: 'lp:<id>', 'lp:<id>:itself', 'payee:<payee>'
    paused  INTEGER NOT NULL CHECK (paused IN (0, 1)),
    said_at INTEGER NOT NULL,
    said_by TEXT NOT NULL,
    reason  TEXT
) STRICT;

-- the bot's own reasons for paying nothing new: 'books' (a rule of the books is broken), 'past' (an old database)
CREATE TABLE holds (
    name   TEXT PRIMARY KEY,
    since  INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;

-- rules of the books that were found broken; where an operator lives with it, by whose word
CREATE TABLE violations (
    rule        TEXT NOT NULL,
    ref         TEXT NOT NULL,
    detail      TEXT NOT NULL,
    seen_at     INTEGER NOT NULL,
    accepted_at INTEGER,
    accepted_by TEXT,
    UNIQUE (rule, ref),
    CHECK ((accepted_at IS NULL) = (accepted_by IS NULL))
) STRICT;

CREATE TABLE wallets (
    name              TEXT PRIMARY KEY,
    wallet_pubkey     TEXT NOT NULL,
    client_pubkey     TEXT NOT NULL,
    profile           TEXT NOT NULL DEFAULT 'unknown'
                      CHECK (profile IN ('lnbits', 'alby-lnd', 'alby-ldk', 'unknown')),
    profile_since     INTEGER NOT NULL DEFAULT 0,  -- what was sent before is judged as by an unknown wallet
    profile_found     TEXT,            -- by what it was found, as JSON; NULL: the configuration names it, or nothing does
    repays            INTEGER NOT NULL DEFAULT 1 CHECK (repays IN (0, 1)),  -- 0: never the same invoice once more
    configured        INTEGER NOT NULL DEFAULT 1 CHECK (configured IN (0, 1)),  -- 0: its connection was taken out
    paused_reason     TEXT,            -- set while the wallet can't pay: no balance, quota, revoked, unfit, gone
    paused_at         INTEGER,
    missing_msat      INTEGER NOT NULL DEFAULT 0,
    paused_balance_msat INTEGER,       -- the first balance after it was paused
    pauses            INTEGER NOT NULL DEFAULT 0,  -- in a row, since it last paid
    balance_msat      INTEGER,
    balance_at        INTEGER,
    last_answer_at    INTEGER,
    scanned_until     INTEGER NOT NULL DEFAULT 0,
    listed_at         INTEGER,         -- when its list was last read whole
    searched_from     INTEGER,         -- from when on its list was searched for payments that these books forgot
    created_at        INTEGER NOT NULL,
    connected_at      INTEGER NOT NULL   -- since when these are its keys
) STRICT;

-- payments of a wallet to itself, made to try it: no leg's, no customer's
CREATE TABLE trials (
    payment_hash TEXT PRIMARY KEY CHECK (length(payment_hash) = 64),
    wallet       TEXT NOT NULL REFERENCES wallets (name),
    created_at   INTEGER NOT NULL,
    settled_at   INTEGER,
    fees_msat    INTEGER NOT NULL DEFAULT 0 CHECK (fees_msat >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE machines (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    pubkey       TEXT NOT NULL UNIQUE CHECK (length(pubkey) = 64),
    name         TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    wallet       TEXT NOT NULL UNIQUE REFERENCES wallets (name),
    fiat         TEXT NOT NULL CHECK (length(fiat) = 3),
    location     TEXT,
    active       INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    cash_in_ppm  INTEGER NOT NULL CHECK (cash_in_ppm BETWEEN 0 AND 1000000),
    cash_out_ppm INTEGER NOT NULL CHECK (cash_out_ppm BETWEEN 0 AND 1000000),
    last_seen_at INTEGER,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE lps (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    pubkey          TEXT NOT NULL UNIQUE CHECK (length(pubkey) = 64),
    name            TEXT NOT NULL UNIQUE,
    target          TEXT,
    next_target     TEXT,              -- a change waits out the cool-down
    next_target_at  INTEGER,
    mode            TEXT NOT NULL DEFAULT 'flow' CHECK (mode IN ('flow', 'fixed')),
    daily_limit     TEXT,              -- in fixed mode: decimal, in each machine's own currency
    onboarded_at    INTEGER,
    created_at      INTEGER NOT NULL,
    CHECK ((target IS NULL) = (onboarded_at IS NULL)),
    CHECK ((next_target IS NULL) = (next_target_at IS NULL))
) STRICT;
CREATE INDEX lps_name ON lps (name COLLATE NOCASE);

-- what people wish for themselves, whatever their role
CREATE TABLE people (
    pubkey   TEXT PRIMARY KEY CHECK (length(pubkey) = 64),
    language TEXT,                     -- ISO 639; NULL: never chosen
    notify   INTEGER NOT NULL DEFAULT 0 CHECK (notify IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE applicants (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- A3: what an operator types instead of a key
    pubkey     TEXT NOT NULL UNIQUE CHECK (length(pubkey) = 64),
    target     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- the sums are kept by the triggers below and recomputed by `verify`
CREATE TABLE enrolments (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    machine_id      INTEGER NOT NULL REFERENCES machines (id),
    lp_id           INTEGER NOT NULL REFERENCES lps (id),
    status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused')),
    deposited_minor INTEGER NOT NULL DEFAULT 0 CHECK (deposited_minor >= 0),
    pending_minor   INTEGER NOT NULL DEFAULT 0 CHECK (pending_minor >= 0),
    paid_minor      INTEGER NOT NULL DEFAULT 0 CHECK (paid_minor >= 0),
    reserved_minor  INTEGER NOT NULL DEFAULT 0 CHECK (reserved_minor >= 0),
    paid_sats       INTEGER NOT NULL DEFAULT 0 CHECK (paid_sats >= 0),
    last_payment_at INTEGER,
    created_at      INTEGER NOT NULL,
    UNIQUE (machine_id, lp_id),
    CHECK (deposited_minor - paid_minor - reserved_minor >= 0)
) STRICT;
CREATE INDEX enrolments_machine ON enrolments (machine_id);
CREATE INDEX enrolments_lp ON enrolments (lp_id);

CREATE TABLE deposits (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    machine_id   INTEGER NOT NULL,
    lp_id        INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency     TEXT NOT NULL,
    status       TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'confirmed', 'deleted')),
    note         TEXT,
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER,
    FOREIGN KEY (machine_id, lp_id) REFERENCES enrolments (machine_id, lp_id),
    CHECK ((status = 'confirmed') = (confirmed_at IS NOT NULL))
) STRICT;
CREATE INDEX deposits_place ON deposits (machine_id, lp_id);
CREATE INDEX deposits_machine ON deposits (machine_id);
CREATE INDEX deposits_lp ON deposits (lp_id);
CREATE INDEX deposits_aside ON deposits (status) WHERE status <> 'confirmed';
CREATE INDEX deposits_aside_machine ON deposits (machine_id, status) WHERE status <> 'confirmed';
CREATE INDEX deposits_aside_lp ON deposits (lp_id, status) WHERE status <> 'confirmed';

CREATE TABLE split_rules (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    machine_id INTEGER REFERENCES machines (id),
    active     INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX split_rules_one_active ON split_rules (coalesce(machine_id, 0)) WHERE active = 1;

CREATE TABLE split_shares (
    rule_id      INTEGER NOT NULL REFERENCES split_rules (id),
    position     INTEGER NOT NULL,
    fraction_ppm INTEGER NOT NULL CHECK (fraction_ppm BETWEEN 1 AND 1000000),
    target       TEXT NOT NULL,
    label        TEXT NOT NULL,
    PRIMARY KEY (rule_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE settlements (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    machine_id          INTEGER NOT NULL REFERENCES machines (id),
    wallet              TEXT NOT NULL REFERENCES wallets (name),
    status              TEXT NOT NULL CHECK (status IN ('unverified', 'pending', 'processing', 'processed', 'partial',
                                                        'errored', 'refunded', 'rejected')),
    reason              TEXT,
    detail              TEXT,
    payment_hash        TEXT NOT NULL CHECK (length(payment_hash) = 64),
    tx_type             TEXT NOT NULL CHECK (tx_type IN ('cash_out', 'cash_in')),
    wire_sats           INTEGER NOT NULL,
    principal_sats      INTEGER NOT NULL,
    fee_sats            INTEGER NOT NULL,
    platform_fee_sats   INTEGER NOT NULL CHECK (platform_fee_sats >= 0),
    operator_fee_sats   INTEGER NOT NULL CHECK (operator_fee_sats >= 0),
    fee_mismatch_sats   INTEGER NOT NULL,
    fee_mismatch_warned INTEGER NOT NULL DEFAULT 0 CHECK (fee_mismatch_warned IN (0, 1)),
    fiat_minor          INTEGER NOT NULL,
    currency            TEXT NOT NULL,
    exchange_rate       TEXT NOT NULL,
    txid                TEXT,
    source              TEXT,
    seq                 INTEGER,
    notes_dispensed     TEXT,
    event_id            TEXT NOT NULL,
    reported_at         INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    changed_at          INTEGER NOT NULL,
    entered_by          TEXT CHECK (length(entered_by) = 64),  -- the operator who entered it by hand
    landed_wire_sats          INTEGER,  -- the amounts with which it landed: set when it is scaled
    landed_principal_sats     INTEGER,
    landed_fee_sats           INTEGER,
    landed_platform_fee_sats  INTEGER,
    landed_operator_fee_sats  INTEGER,
    landed_fiat_minor         INTEGER,
    proof               TEXT CHECK (proof IN ('settled', 'not_supported', 'operator')),
    proof_checked_at    INTEGER,
    proof_checks        INTEGER NOT NULL DEFAULT 0,
    next_proof_at       INTEGER,
    receipt             TEXT CHECK (receipt IN ('accepted', 'rejected', 'unverified')),
    claim_token         TEXT,
    processed_at        INTEGER,
    UNIQUE (machine_id, payment_hash),
    CHECK (status = 'rejected' OR (wire_sats > 0 AND principal_sats > 0 AND fee_sats >= 0 AND fiat_minor > 0)),
    CHECK (status = 'rejected' OR wire_sats = principal_sats + CASE tx_type WHEN 'cash_out' THEN fee_sats ELSE -fee_sats END),
    CHECK (status = 'rejected' OR fee_sats = platform_fee_sats + operator_fee_sats + fee_mismatch_sats),
    CHECK (status IN ('unverified', 'rejected') OR proof IS NOT NULL),
    CHECK (proof IS NOT 'operator' OR entered_by IS NOT NULL),
    CHECK (status <> 'partial' OR landed_wire_sats IS NOT NULL),
    CHECK (landed_wire_sats IS NULL AND landed_principal_sats IS NULL AND landed_fee_sats IS NULL
           AND landed_platform_fee_sats IS NULL AND landed_operator_fee_sats IS NULL AND landed_fiat_minor IS NULL
           OR coalesce(tx_type = 'cash_out' AND landed_wire_sats = landed_principal_sats + landed_fee_sats
                       AND principal_sats <= landed_principal_sats AND wire_sats <= landed_wire_sats
                       AND landed_platform_fee_sats >= 0 AND landed_operator_fee_sats >= 0
                       AND fiat_minor <= landed_fiat_minor, 0))
) STRICT;
-- Two machines may claim one payment, only one can have it: a claim nobody proved must not shut out the real one.
CREATE UNIQUE INDEX settlements_one_per_payment ON settlements (payment_hash)
    WHERE status NOT IN ('unverified', 'rejected');
CREATE INDEX settlements_hash ON settlements (payment_hash);
CREATE INDEX settlements_machine ON settlements (machine_id, created_at);
CREATE INDEX settlements_fees ON settlements (machine_id, tx_type, created_at)
    WHERE entered_by IS NULL AND status NOT IN ('unverified', 'rejected');
CREATE INDEX settlements_time ON settlements (created_at);
CREATE INDEX settlements_seq ON settlements (machine_id, seq) WHERE seq IS NOT NULL;
CREATE INDEX settlements_proof ON settlements (wallet, next_proof_at) WHERE status = 'unverified';
CREATE INDEX settlements_claimable ON settlements (id) WHERE status IN ('pending', 'partial');
-- SQLite takes a partial index only where the query repeats its condition word for word.
CREATE INDEX settlements_open ON settlements (status, changed_at)
    WHERE status IN ('rejected', 'errored', 'pending', 'processing', 'partial', 'unverified');
-- where few of many end up: a search among all others would find them last
CREATE INDEX settlements_aside ON settlements (status, created_at)
    WHERE status IN ('rejected', 'errored', 'partial', 'refunded');
CREATE INDEX settlements_aside_machine ON settlements (machine_id, status, created_at)
    WHERE status IN ('rejected', 'errored', 'partial', 'refunded');

CREATE TABLE settlement_notes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    settlement_id INTEGER NOT NULL REFERENCES settlements (id),
    at            INTEGER NOT NULL,
    author        TEXT NOT NULL,
    text          TEXT NOT NULL CHECK (length(text) BETWEEN 1 AND 2000)
) STRICT;
CREATE INDEX settlement_notes_of ON settlement_notes (settlement_id);

CREATE TABLE legs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    settlement_id INTEGER REFERENCES settlements (id),
    machine_id    INTEGER NOT NULL REFERENCES machines (id),
    wallet        TEXT NOT NULL REFERENCES wallets (name),
    type          TEXT NOT NULL CHECK (type IN ('super_fee', 'operator_split', 'dca', 'settlement', 'autoforward', 'refund')),
    status        TEXT NOT NULL CHECK (status IN ('pending', 'completed', 'failed', 'skipped', 'voided', 'refunded')),
    amount_sats   INTEGER NOT NULL CHECK (amount_sats > 0),
    credit_sats   INTEGER NOT NULL DEFAULT 0 CHECK (credit_sats BETWEEN 0 AND amount_sats),
    fiat_minor    INTEGER NOT NULL DEFAULT 0 CHECK (fiat_minor >= 0),
    currency      TEXT NOT NULL,
    lp_id         INTEGER REFERENCES lps (id),
    payee         TEXT NOT NULL,
    target        TEXT,
    label         TEXT NOT NULL,
    reason        TEXT,
    tries         INTEGER NOT NULL DEFAULT 0,     -- times the target did not resolve, and attempts that ended unpaid
    next_try_at   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    completed_at  INTEGER,
    CHECK (type NOT IN ('dca', 'settlement') OR status IN ('skipped', 'voided') OR lp_id IS NOT NULL),
    CHECK ((status IN ('completed', 'refunded')) = (completed_at IS NOT NULL)),
    CHECK (status NOT IN ('skipped', 'failed') OR reason IS NOT NULL),
    CHECK (type IN ('settlement', 'autoforward') OR settlement_id IS NOT NULL)
) STRICT;
CREATE INDEX legs_settlement ON legs (settlement_id);
CREATE INDEX legs_lp ON legs (lp_id, machine_id, created_at);
CREATE INDEX legs_payouts ON legs (lp_id, machine_id) WHERE type = 'settlement';
CREATE INDEX legs_payable ON legs (wallet, next_try_at) WHERE status = 'pending';
CREATE INDEX legs_skipped ON legs (created_at) WHERE status = 'skipped';
CREATE INDEX legs_failed ON legs (created_at) WHERE status = 'failed';
CREATE INDEX legs_aside ON legs (status) WHERE status NOT IN ('pending', 'completed');
CREATE INDEX legs_aside_type ON legs (type, status) WHERE status NOT IN ('pending', 'completed');
CREATE INDEX legs_aside_lp ON legs (lp_id, status) WHERE status NOT IN ('pending', 'completed');
CREATE INDEX legs_odd ON legs (type) WHERE type NOT IN ('super_fee', 'operator_split', 'dca');
CREATE INDEX legs_odd_lp ON legs (lp_id, type, machine_id, created_at) WHERE type NOT IN ('super_fee', 'operator_split', 'dca');
CREATE INDEX legs_completed_at ON legs (wallet, completed_at) WHERE status = 'completed';

CREATE TABLE attempts (
    payment_hash   TEXT PRIMARY KEY CHECK (length(payment_hash) = 64),
    leg_id         INTEGER NOT NULL REFERENCES legs (id),
    wallet         TEXT NOT NULL REFERENCES wallets (name),
    invoice        TEXT NOT NULL,
    amount_msat    INTEGER NOT NULL CHECK (amount_msat > 0),
    payee_key      TEXT,
    state          TEXT NOT NULL CHECK (state IN ('ready', 'sent', 'claimed', 'settled', 'released', 'dropped')),
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    sent_at        INTEGER,
    settled_at     INTEGER,
    ended_at       INTEGER,
    end_reason     TEXT,
    preimage       TEXT,
    fees_msat      INTEGER NOT NULL DEFAULT 0 CHECK (fees_msat >= 0),
    verify_url     TEXT,
    surplus        INTEGER NOT NULL DEFAULT 0 CHECK (surplus IN (0, 1)),
    next_check_at  INTEGER NOT NULL,
    checks         INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 'settled') = (preimage IS NOT NULL)),
    CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
    CHECK (state IN ('ready', 'dropped') = (sent_at IS NULL)),
    CHECK (surplus = 0 OR state = 'settled')
) STRICT;
CREATE UNIQUE INDEX attempts_one_live ON attempts (leg_id) WHERE state IN ('ready', 'sent', 'claimed');
CREATE UNIQUE INDEX attempts_one_settled ON attempts (leg_id) WHERE state = 'settled' AND surplus = 0;
CREATE INDEX attempts_leg ON attempts (leg_id);
CREATE INDEX attempts_unresolved ON attempts (wallet, next_check_at) WHERE state IN ('sent', 'claimed');
CREATE INDEX attempts_ready ON attempts (wallet, created_at) WHERE state = 'ready';
CREATE INDEX attempts_settled ON attempts (wallet, settled_at) WHERE state = 'settled';

-- A signed pay_invoice request: stored before its first byte leaves, published again only as the same bytes.
CREATE TABLE requests (
    event_id          TEXT PRIMARY KEY CHECK (length(event_id) = 64),
    payment_hash      TEXT NOT NULL REFERENCES attempts (payment_hash),
    event             TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    publishes         INTEGER NOT NULL DEFAULT 0,
    last_published_at INTEGER,
    answered_at       INTEGER,
    refused           INTEGER NOT NULL DEFAULT 0 CHECK (refused IN (0, 1, 2)),  -- the answer: it did not even try; 2: though it had enough
    client            TEXT,            -- the key of the connection that it was signed for; NULL: its bytes are lost
    CHECK (expires_at > created_at)
) STRICT;
CREATE INDEX requests_attempt ON requests (payment_hash);

CREATE TABLE evidence (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_hash TEXT NOT NULL REFERENCES attempts (payment_hash),
    class        TEXT NOT NULL CHECK (class IN ('proof', 'claim', 'in_flight', 'none', 'negative', 'ambiguous')),
    source       TEXT NOT NULL CHECK (source IN ('pay', 'notification', 'lookup', 'list', 'control', 'verify', 'operator')),
    asked_at     INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    detail       TEXT
) STRICT;
CREATE INDEX evidence_of ON evidence (payment_hash, id);

-- payments that were sent and that these books do not know: they were a copy from before
CREATE TABLE forgotten (
    payment_hash TEXT PRIMARY KEY CHECK (length(payment_hash) = 64),
    wallet       TEXT NOT NULL,
    settlement   TEXT,                 -- its payment hash; NULL for what an order paid
    type         TEXT,                 -- of the leg; NULL: nobody knows what for
    payee        TEXT,
    leg          INTEGER NOT NULL,     -- the number of the leg, in books that are lost
    invoice      TEXT NOT NULL,
    amount_msat  INTEGER NOT NULL CHECK (amount_msat > 0),
    fees_msat    INTEGER NOT NULL DEFAULT 0 CHECK (fees_msat >= 0),  -- may be part of the amount: wallets list it so
    payee_key    TEXT,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    verify_url   TEXT,
    requests     TEXT NOT NULL,        -- JSON
    settled      INTEGER NOT NULL CHECK (settled IN (0, 1)),
    found_at     INTEGER NOT NULL,
    state        TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'back', 'dropped')),
    CHECK ((type IS NULL) = (payee IS NULL))
) STRICT;
CREATE INDEX forgotten_waiting ON forgotten (settlement, payee) WHERE state = 'waiting';

CREATE TABLE credits (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    payee        TEXT NOT NULL,
    payment_hash TEXT NOT NULL UNIQUE REFERENCES attempts (payment_hash),
    amount_sats  INTEGER NOT NULL CHECK (amount_sats > 0),
    used_sats    INTEGER NOT NULL DEFAULT 0 CHECK (used_sats BETWEEN 0 AND amount_sats),
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX credits_open ON credits (payee) WHERE used_sats < amount_sats;

-- how far each machine has counted its reports; times are the machine's own
CREATE TABLE sequences (
    machine_id       INTEGER PRIMARY KEY REFERENCES machines (id),
    highest          INTEGER NOT NULL,
    began_at         INTEGER NOT NULL,   -- the first report of this count
    newest_at        INTEGER NOT NULL,
    first_settlement INTEGER NOT NULL
) STRICT;

CREATE TABLE missing_reports (
    machine_id INTEGER NOT NULL REFERENCES machines (id),
    began_at   INTEGER NOT NULL,         -- of which count
    seq        INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL,
    told       INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),
    PRIMARY KEY (machine_id, began_at, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX missing_reports_time ON missing_reports (noticed_at);

-- the newest of what each machine says of itself, in public and to its operator; times of events are the machine's own
CREATE TABLE beacons (
    machine_id  INTEGER PRIMARY KEY REFERENCES machines (id),
    event_id    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    fields      TEXT NOT NULL,          -- JSON; a field that a newer beacon leaves out keeps its value
    earlier     TEXT NOT NULL           -- JSON: the fields before this one, for another of the same second that beats it
) STRICT;

CREATE TABLE telemetry (
    machine_id  INTEGER PRIMARY KEY REFERENCES machines (id),
    event_id    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    body        TEXT NOT NULL           -- JSON as it came
) STRICT;

-- the newest cassette state of each machine, and the newest config that was sent to it
CREATE TABLE cassettes (
    machine_id     INTEGER PRIMARY KEY REFERENCES machines (id),
    event_id       TEXT,                -- of the state
    created_at     INTEGER,
    received_at    INTEGER,
    config         TEXT,                -- JSON: what was sent
    config_at      INTEGER,
    applied_at     INTEGER,             -- when a state showed that the machine has what is believed; NULL: not yet
    after_settlement INTEGER,           -- with settlements after this one what is in the bays changes; NULL: no bays
    CHECK ((config IS NULL) = (config_at IS NULL))
) STRICT;

-- what lies in each bay, as it is believed and as its machine reported it; the position is the identity
CREATE TABLE bays (
    machine_id            INTEGER NOT NULL REFERENCES machines (id),
    position              INTEGER NOT NULL CHECK (position BETWEEN 1 AND 64),
    denomination          INTEGER NOT NULL CHECK (denomination BETWEEN 1 AND 1000000000),  -- whole units of the currency
    count                 INTEGER NOT NULL CHECK (count BETWEEN 0 AND 1000000),
    reported_denomination INTEGER NOT NULL,
    reported_count        INTEGER NOT NULL,
    left_out_since        INTEGER,      -- since when the machine's states leave this bay out; NULL: the newest shows it
    differs_since         INTEGER,      -- since when what is believed is not what is reported
    PRIMARY KEY (machine_id, position)
) STRICT, WITHOUT ROWID;

-- the rest of a machine's cash
CREATE TABLE boxes (
    machine_id     INTEGER PRIMARY KEY REFERENCES machines (id),
    box_minor      INTEGER NOT NULL DEFAULT 0 CHECK (box_minor >= 0),  -- what customers put in since it was emptied
    limit_minor    INTEGER CHECK (limit_minor > 0),
    emptied_at     INTEGER,
    unplaced_minor INTEGER NOT NULL DEFAULT 0,  -- dispensed, nobody knows from which bay
    explained_minor INTEGER NOT NULL DEFAULT 0, -- LPs' confirmed deposits less what cash-outs dispensed: see the triggers
    gap_minor      INTEGER NOT NULL DEFAULT 0,  -- cash believed less what LPs' deposits and payments explain, when last seen
    gap_since      INTEGER
) STRICT;

-- every change of the cash that is believed to be in a machine; `position` NULL is the box, or no known bay
CREATE TABLE cash_moves (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    machine_id    INTEGER NOT NULL REFERENCES machines (id),
    at            INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('found', 'dispensed', 'not_dispensed', 'refilled', 'set', 'inserted', 'emptied')),
    position      INTEGER,
    denomination  INTEGER,
    notes         INTEGER,               -- how many more, or fewer
    amount_minor  INTEGER NOT NULL,      -- how much more, or less
    assumed       INTEGER NOT NULL DEFAULT 0 CHECK (assumed IN (0, 1)),  -- which notes, the machine did not say
    counted_minor INTEGER CHECK (counted_minor >= 0),  -- what somebody counted, taking it out
    who           TEXT NOT NULL,         -- the key of the machine or of the operator
    settlement_id INTEGER REFERENCES settlements (id),
    deposit_id    INTEGER REFERENCES deposits (id)
) STRICT;
CREATE INDEX cash_moves_place ON cash_moves (machine_id, position, at);
CREATE INDEX cash_moves_settlement ON cash_moves (settlement_id) WHERE settlement_id IS NOT NULL;
CREATE UNIQUE INDEX cash_moves_once ON cash_moves (settlement_id, kind, coalesce(position, 0))
    WHERE settlement_id IS NOT NULL AND kind IN ('dispensed', 'inserted');

-- what is wrong for a while: told when it begins, again while it lasts, and when it is over
CREATE TABLE alarms (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,  -- N3: what an operator silences
    cause          TEXT NOT NULL,
    subject        TEXT NOT NULL,        -- 'machine:3', 'bay:3:1', 'wallet:main', 'relay:wss://…', 'S12', 'P40', 'D7', or ''
    facts          TEXT NOT NULL,        -- JSON: the values of its sentence
    mark           TEXT NOT NULL,        -- the state of the cause when it was last told: a worse one is told at once
    raised_at      INTEGER NOT NULL,
    reminders      INTEGER NOT NULL DEFAULT 0,
    remind_at      INTEGER NOT NULL,
    told           INTEGER NOT NULL CHECK (told IN (0, 1)),  -- 0: it came back, and nobody was told of that yet
    silenced_until INTEGER,
    silenced_by    TEXT,
    cleared_at     INTEGER,
    CHECK ((silenced_until IS NULL) = (silenced_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX alarms_open ON alarms (cause, subject) WHERE cleared_at IS NULL;
CREATE INDEX alarms_over ON alarms (cause, subject, cleared_at) WHERE cleared_at IS NOT NULL;

-- what services outside are to be told, in the order of time; a row goes when its service has it
CREATE TABLE alerts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    service     INTEGER NOT NULL,         -- which of the configured addresses, from 0: they have passwords in them
    text        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX alerts_of ON alerts (service, id);

-- thresholds of one machine, where they are not the configuration's
CREATE TABLE thresholds (
    machine_id INTEGER NOT NULL REFERENCES machines (id),
    name       TEXT NOT NULL,
    value      INTEGER NOT NULL,
    PRIMARY KEY (machine_id, name)
) STRICT, WITHOUT ROWID;

-- what is known of each relay from one run to the next
CREATE TABLE relays (
    url               TEXT PRIMARY KEY,
    caught_up_at      INTEGER,           -- until then its stored events were gone through to the end
    compared_at       INTEGER            -- when what it keeps of the bot's own events was last compared with `published`
) STRICT, WITHOUT ROWID;

-- payments in a machine's wallet that no settlement explains
CREATE TABLE unmatched (
    payment_hash TEXT PRIMARY KEY,
    wallet       TEXT NOT NULL REFERENCES wallets (name),
    direction    TEXT NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    amount_msat  INTEGER NOT NULL,
    settled_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX unmatched_time ON unmatched (settled_at);

CREATE TABLE journal (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    ref    TEXT NOT NULL,
    hash   TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX journal_ref ON journal (ref);

CREATE TABLE postings (
    entry_id  INTEGER NOT NULL REFERENCES journal (id),
    position  INTEGER NOT NULL,
    account   TEXT NOT NULL,
    commodity TEXT NOT NULL,
    amount    INTEGER NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    command TEXT NOT NULL,
    target  TEXT,
    before  TEXT,
    after   TEXT,
    seals   TEXT,                      -- JSON: digests of what payments follow and this line changed
    hash    TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX audit_target ON audit (target);
CREATE INDEX audit_who ON audit (who);

-- events that were acted on; one more copy changes nothing
CREATE TABLE inbox (
    event_id    TEXT PRIMARY KEY,
    kind        INTEGER NOT NULL,
    pubkey      TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_age ON inbox (received_at);

-- orders that were acted on, for ever: by rumor id, and by the sender's own id where there is one
CREATE TABLE orders (
    rumor_id    TEXT PRIMARY KEY,
    sender      TEXT NOT NULL,
    order_id    TEXT,
    digest      TEXT NOT NULL,
    method      TEXT NOT NULL,
    answer      TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX orders_idempotency ON orders (sender, order_id) WHERE order_id IS NOT NULL;

CREATE TABLE confirmations (
    code       TEXT NOT NULL,
    sender     TEXT NOT NULL,
    method     TEXT NOT NULL,
    params     TEXT NOT NULL,
    preview    TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (sender, code)
) STRICT, WITHOUT ROWID;

-- one answer a day to a sender without a role
CREATE TABLE strangers (
    pubkey      TEXT PRIMARY KEY,
    answered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- what is to be published; the row is written by the transaction that decided it
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL CHECK (kind IN ('event', 'replaceable', 'dm', 'signed_dm')),
    body        TEXT NOT NULL,
    coordinate  TEXT,                  -- of what replaces the one before: in order, one at a time
    lane        INTEGER NOT NULL DEFAULT 0 CHECK (lane IN (0, 1)),  -- 1: to strangers, after all else
    event       TEXT,                  -- a replaceable event once it is signed: tried again as it is
    created_at  INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    give_up_at  INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    state       TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'given_up')),
    error       TEXT
) STRICT;
CREATE INDEX outbox_waiting ON outbox (next_try_at) WHERE state = 'waiting';
CREATE INDEX outbox_order ON outbox (lane, id) WHERE state = 'waiting';
CREATE INDEX outbox_coordinate ON outbox (coordinate) WHERE state = 'waiting' AND coordinate IS NOT NULL;

-- the last version of each replaceable event of ours: its time must grow, its content must have changed
CREATE TABLE published (
    coordinate TEXT PRIMARY KEY,       -- '<kind>:<d>' and, where encrypted, ':<recipient>'
    created_at INTEGER NOT NULL,
    digest     TEXT NOT NULL,
    event      TEXT,                   -- as it was signed: a relay that lost it is given it again; NULL: it is not
    expires_at INTEGER
) STRICT;
CREATE INDEX published_kept ON published (coordinate) WHERE event IS NOT NULL;

-- customers' payments of which a relay keeps a receipt that is older than these books
CREATE TABLE accepted_before (
    payment_hash TEXT PRIMARY KEY CHECK (length(payment_hash) = 64)
) STRICT, WITHOUT ROWID;

-- published views that a commit may have changed
CREATE TABLE stale_views (
    view TEXT PRIMARY KEY              -- 'worklist', or 'balance:<lp id>'
) STRICT, WITHOUT ROWID;

-- Changes of state: exactly the tables of ledger/states.py.
CREATE TRIGGER settlements_changes BEFORE UPDATE OF status ON settlements
WHEN OLD.status <> NEW.status AND (OLD.status || '>' || NEW.status) NOT IN (
    'unverified>pending', 'unverified>rejected', 'pending>processing', 'pending>partial', 'pending>errored',
    'pending>refunded', 'processing>processed', 'processing>errored', 'processing>partial', 'processing>refunded',
    'partial>processing', 'partial>errored', 'partial>refunded', 'errored>pending', 'errored>partial',
    'errored>processed', 'errored>refunded', 'processed>refunded')
BEGIN SELECT raise(ABORT, 'settlement: change of status not allowed'); END;

CREATE TRIGGER legs_changes BEFORE UPDATE OF status ON legs
WHEN OLD.status <> NEW.status AND (OLD.status || '>' || NEW.status) NOT IN (
    'pending>completed', 'pending>failed', 'pending>skipped', 'pending>voided', 'failed>voided', 'skipped>voided',
    'failed>completed', 'completed>refunded')
BEGIN SELECT raise(ABORT, 'leg: change of status not allowed'); END;

CREATE TRIGGER attempts_changes BEFORE UPDATE OF state ON attempts
WHEN OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN (
    'ready>sent', 'ready>dropped', 'dropped>sent', 'sent>claimed', 'sent>settled', 'sent>released', 'claimed>settled',
    'claimed>released', 'released>claimed', 'released>settled')
BEGIN SELECT raise(ABORT, 'attempt: change of state not allowed'); END;

CREATE TRIGGER deposits_changes BEFORE UPDATE OF status ON deposits
WHEN OLD.status <> NEW.status AND (OLD.status || '>' || NEW.status) NOT IN ('pending>confirmed', 'pending>deleted')
BEGIN SELECT raise(ABORT, 'deposit: change of status not allowed'); END;

CREATE TRIGGER deposits_fixed BEFORE UPDATE OF machine_id, lp_id, amount_minor, currency ON deposits
WHEN OLD.status <> 'pending'
BEGIN SELECT raise(ABORT, 'deposit: fixed once it is confirmed or deleted'); END;

-- What an attempt pays, to whom and from where never changes.
CREATE TRIGGER attempts_fixed BEFORE UPDATE OF payment_hash, leg_id, wallet, invoice, amount_msat, expires_at ON attempts
BEGIN SELECT raise(ABORT, 'attempt: its invoice, wallet and leg are fixed'); END;

CREATE TRIGGER settlements_fixed BEFORE UPDATE OF machine_id, wallet, payment_hash, tx_type, currency, exchange_rate, entered_by
ON settlements
BEGIN SELECT raise(ABORT, 'settlement: which payment it is about is fixed'); END;

CREATE TRIGGER settlements_scaled BEFORE UPDATE OF wire_sats, principal_sats, fee_sats, platform_fee_sats, operator_fee_sats,
    fee_mismatch_sats, fiat_minor ON settlements
WHEN NEW.status <> 'partial' OR EXISTS (SELECT 1 FROM legs WHERE settlement_id = OLD.id AND status <> 'voided')
BEGIN SELECT raise(ABORT, 'settlement: its amounts change when it is scaled, and no leg of it stands'); END;

CREATE TRIGGER settlements_landed BEFORE UPDATE OF landed_wire_sats, landed_principal_sats, landed_fee_sats,
    landed_platform_fee_sats, landed_operator_fee_sats, landed_fiat_minor ON settlements
WHEN (NEW.landed_wire_sats, NEW.landed_principal_sats, NEW.landed_fee_sats, NEW.landed_platform_fee_sats,
      NEW.landed_operator_fee_sats, NEW.landed_fiat_minor)
     IS NOT (coalesce(OLD.landed_wire_sats, OLD.wire_sats), coalesce(OLD.landed_principal_sats, OLD.principal_sats),
             coalesce(OLD.landed_fee_sats, OLD.fee_sats), coalesce(OLD.landed_platform_fee_sats, OLD.platform_fee_sats),
             coalesce(OLD.landed_operator_fee_sats, OLD.operator_fee_sats), coalesce(OLD.landed_fiat_minor, OLD.fiat_minor))
BEGIN SELECT raise(ABORT, 'settlement: what landed is fixed'); END;

CREATE TRIGGER attempts_start BEFORE INSERT ON attempts WHEN NEW.state <> 'ready'
BEGIN SELECT raise(ABORT, 'attempt: starts as ready'); END;

-- What was sent by a run that these books forgot is taken in also where its leg is paid by now: it is a second payment.
CREATE TRIGGER attempts_sent_for_open_legs BEFORE UPDATE OF state ON attempts
WHEN OLD.state IN ('ready', 'dropped') AND NEW.state = 'sent'
     AND NOT EXISTS (SELECT 1 FROM legs WHERE id = NEW.leg_id AND (status = 'pending' OR status = 'completed'
                     AND EXISTS (SELECT 1 FROM forgotten WHERE payment_hash = NEW.payment_hash)))
BEGIN SELECT raise(ABORT, 'attempt: its leg is not open'); END;

CREATE TRIGGER attempts_sent_after_all BEFORE UPDATE OF state ON attempts
WHEN OLD.state = 'dropped' AND NEW.state = 'sent'
     AND NOT EXISTS (SELECT 1 FROM forgotten WHERE payment_hash = NEW.payment_hash)
BEGIN SELECT raise(ABORT, 'attempt: it was dropped, and nothing says that it was sent'); END;

CREATE TRIGGER settlements_start BEFORE INSERT ON settlements WHEN NEW.status NOT IN ('unverified', 'rejected')
BEGIN SELECT raise(ABORT, 'settlement: starts as unverified or rejected'); END;

CREATE TRIGGER legs_start BEFORE INSERT ON legs WHEN NEW.status NOT IN ('pending', 'skipped')
BEGIN SELECT raise(ABORT, 'leg: starts as pending or skipped'); END;

CREATE TRIGGER deposits_start BEFORE INSERT ON deposits WHEN NEW.status <> 'pending'
BEGIN SELECT raise(ABORT, 'deposit: starts as pending'); END;

CREATE TRIGGER attempts_of_open_legs BEFORE INSERT ON attempts
WHEN NOT EXISTS (SELECT 1 FROM legs WHERE id = NEW.leg_id AND wallet = NEW.wallet
                 AND (status = 'pending' AND (amount_sats - credit_sats) * 1000 = NEW.amount_msat OR status = 'completed'
                      AND EXISTS (SELECT 1 FROM forgotten WHERE payment_hash = NEW.payment_hash)))
BEGIN SELECT raise(ABORT, 'attempt: its leg is not open, or another wallet or amount'); END;

CREATE TRIGGER legs_amount_fixed BEFORE UPDATE OF amount_sats, fiat_minor, currency, lp_id, payee, type, settlement_id ON legs
BEGIN SELECT raise(ABORT, 'leg: what it owes and to whom is fixed'); END;

CREATE TRIGGER legs_live BEFORE UPDATE OF status, credit_sats, wallet ON legs
WHEN (OLD.credit_sats <> NEW.credit_sats OR OLD.wallet <> NEW.wallet
      OR NEW.status IN ('failed', 'skipped', 'voided') AND OLD.status <> NEW.status)
     AND EXISTS (SELECT 1 FROM attempts WHERE leg_id = OLD.id AND state IN ('ready', 'sent', 'claimed'))
BEGIN SELECT raise(ABORT, 'leg: a live attempt holds it'); END;

CREATE TRIGGER requests_of_sent BEFORE INSERT ON requests
WHEN NOT EXISTS (SELECT 1 FROM attempts WHERE payment_hash = NEW.payment_hash AND state = 'sent')
BEGIN SELECT raise(ABORT, 'request: its attempt is not sent'); END;

CREATE TRIGGER requests_one_live BEFORE INSERT ON requests
WHEN EXISTS (SELECT 1 FROM requests WHERE payment_hash = NEW.payment_hash AND expires_at > NEW.created_at)
BEGIN SELECT raise(ABORT, 'request: another one for this invoice still lives'); END;

CREATE TRIGGER requests_fixed BEFORE UPDATE OF event_id, payment_hash, event, client, created_at, expires_at ON requests
BEGIN SELECT raise(ABORT, 'request: its bytes are fixed'); END;

-- History is only added to.
CREATE TRIGGER settlements_keep BEFORE DELETE ON settlements BEGIN SELECT raise(ABORT, 'settlements are kept'); END;
CREATE TRIGGER legs_keep BEFORE DELETE ON legs BEGIN SELECT raise(ABORT, 'legs are kept'); END;
CREATE TRIGGER attempts_keep BEFORE DELETE ON attempts BEGIN SELECT raise(ABORT, 'attempts are kept'); END;
CREATE TRIGGER requests_keep BEFORE DELETE ON requests BEGIN SELECT raise(ABORT, 'requests are kept'); END;
CREATE TRIGGER evidence_keep BEFORE DELETE ON evidence BEGIN SELECT raise(ABORT, 'evidence is kept'); END;
CREATE TRIGGER evidence_fixed BEFORE UPDATE ON evidence BEGIN SELECT raise(ABORT, 'evidence is fixed'); END;
CREATE TRIGGER journal_keep BEFORE DELETE ON journal BEGIN SELECT raise(ABORT, 'the journal is kept'); END;
CREATE TRIGGER journal_fixed BEFORE UPDATE ON journal BEGIN SELECT raise(ABORT, 'the journal is fixed'); END;
CREATE TRIGGER postings_keep BEFORE DELETE ON postings BEGIN SELECT raise(ABORT, 'the journal is kept'); END;
CREATE TRIGGER postings_fixed BEFORE UPDATE ON postings BEGIN SELECT raise(ABORT, 'the journal is fixed'); END;
CREATE TRIGGER audit_keep BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log is kept'); END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is fixed'); END;
CREATE TRIGGER trials_keep BEFORE DELETE ON trials BEGIN SELECT raise(ABORT, 'trials are kept'); END;
CREATE TRIGGER deposits_keep BEFORE DELETE ON deposits BEGIN SELECT raise(ABORT, 'deposits are kept'); END;
CREATE TRIGGER orders_keep BEFORE DELETE ON orders BEGIN SELECT raise(ABORT, 'orders are kept'); END;

-- The sums of an enrolment follow its deposits and legs.
CREATE TRIGGER deposits_added AFTER INSERT ON deposits
BEGIN
    UPDATE enrolments SET pending_minor = pending_minor + NEW.amount_minor
    WHERE machine_id = NEW.machine_id AND lp_id = NEW.lp_id;
END;

CREATE TRIGGER deposits_moved AFTER UPDATE OF status, amount_minor ON deposits
BEGIN
    UPDATE enrolments SET
        pending_minor = pending_minor
            - CASE OLD.status WHEN 'pending' THEN OLD.amount_minor ELSE 0 END
            + CASE NEW.status WHEN 'pending' THEN NEW.amount_minor ELSE 0 END,
        deposited_minor = deposited_minor
            - CASE OLD.status WHEN 'confirmed' THEN OLD.amount_minor ELSE 0 END
            + CASE NEW.status WHEN 'confirmed' THEN NEW.amount_minor ELSE 0 END
    WHERE machine_id = NEW.machine_id AND lp_id = NEW.lp_id;
END;

CREATE TRIGGER legs_added AFTER INSERT ON legs
WHEN NEW.lp_id IS NOT NULL AND NEW.type IN ('dca', 'settlement') AND NEW.status = 'pending'
BEGIN
    UPDATE enrolments SET reserved_minor = reserved_minor + NEW.fiat_minor
    WHERE machine_id = NEW.machine_id AND lp_id = NEW.lp_id;
END;

CREATE TRIGGER legs_moved AFTER UPDATE OF status ON legs
WHEN OLD.status <> NEW.status AND NEW.lp_id IS NOT NULL AND NEW.type IN ('dca', 'settlement')
BEGIN
    UPDATE enrolments SET
        reserved_minor = reserved_minor
            - CASE OLD.status WHEN 'pending' THEN NEW.fiat_minor ELSE 0 END
            + CASE NEW.status WHEN 'pending' THEN NEW.fiat_minor ELSE 0 END,
        paid_minor = paid_minor
            - CASE OLD.status WHEN 'completed' THEN NEW.fiat_minor ELSE 0 END
            + CASE NEW.status WHEN 'completed' THEN NEW.fiat_minor ELSE 0 END,
        paid_sats = paid_sats
            - CASE OLD.status WHEN 'completed' THEN NEW.amount_sats ELSE 0 END
            + CASE NEW.status WHEN 'completed' THEN NEW.amount_sats ELSE 0 END,
        last_payment_at = CASE NEW.status WHEN 'completed' THEN NEW.completed_at ELSE last_payment_at END
    WHERE machine_id = NEW.machine_id AND lp_id = NEW.lp_id;
END;

-- What LPs' books say lies in the bays. A cash-out that is refunded took nothing off any LP.
CREATE TRIGGER deposits_explain AFTER UPDATE OF status ON deposits WHEN OLD.status <> NEW.status AND NEW.status = 'confirmed'
BEGIN
    INSERT INTO boxes (machine_id, explained_minor) VALUES (NEW.machine_id, NEW.amount_minor)
    ON CONFLICT (machine_id) DO UPDATE SET explained_minor = explained_minor + excluded.explained_minor;
END;

CREATE TRIGGER settlements_explain AFTER UPDATE OF status, fiat_minor ON settlements
WHEN NEW.tx_type = 'cash_out'
     AND CASE WHEN OLD.status IN ('unverified', 'rejected', 'refunded') THEN 0 ELSE OLD.fiat_minor END
      <> CASE WHEN NEW.status IN ('unverified', 'rejected', 'refunded') THEN 0 ELSE NEW.fiat_minor END
BEGIN
    INSERT INTO boxes (machine_id, explained_minor) VALUES (NEW.machine_id,
        CASE WHEN OLD.status IN ('unverified', 'rejected', 'refunded') THEN 0 ELSE OLD.fiat_minor END
        - CASE WHEN NEW.status IN ('unverified', 'rejected', 'refunded') THEN 0 ELSE NEW.fiat_minor END)
    ON CONFLICT (machine_id) DO UPDATE SET explained_minor = explained_minor + excluded.explained_minor;
END;
