-- Version 1. What repeats is kept once and named by a number; the view `trials` puts it together for people with a stock `sqlite3`.

-- One call of `brickproof run` or `replay`.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    -- The day on which it began where it ran. A night that goes on after midnight stays one.
    night TEXT NOT NULL,
    -- Milliseconds since 1970-01-01 UTC.
    started_ms INTEGER NOT NULL,
    world TEXT NOT NULL,
    bench TEXT NOT NULL,
    rig_version TEXT NOT NULL,
    -- The folder of its evidence, which may have made room for that of later runs.
    evidence TEXT NOT NULL
) STRICT;
CREATE INDEX run_night ON run (night);

CREATE TABLE scenario (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    title TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    UNIQUE (path, sha256, title)
) STRICT;

-- A cell of a scenario's matrix.
CREATE TABLE cell (
    id INTEGER PRIMARY KEY,
    -- The id of its trials without seed and digest: `battery-death.no-heal`.
    name TEXT NOT NULL,
    -- A JSON object.
    parameters TEXT NOT NULL,
    -- What must come of the firmware: `passed` or `bricked`.
    expected TEXT NOT NULL,
    UNIQUE (name, parameters, expected)
) STRICT;

-- A board in its station.
CREATE TABLE place (
    id INTEGER PRIMARY KEY,
    world TEXT NOT NULL,
    bench TEXT NOT NULL,
    station TEXT NOT NULL,
    -- The board profile.
    board TEXT NOT NULL,
    -- The board's unique id; empty where the bench file does not say it.
    board_serial TEXT NOT NULL,
    UNIQUE (station, board_serial, board, bench, world)
) STRICT;

CREATE TABLE firmware (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    UNIQUE (sha256, name)
) STRICT;

-- What a person wrote when they set trials aside.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    until TEXT NOT NULL,
    UNIQUE (reason, until)
) STRICT;

-- One attempt of one trial.
CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    scenario INTEGER NOT NULL REFERENCES scenario (id),
    cell INTEGER NOT NULL REFERENCES cell (id),
    place INTEGER NOT NULL REFERENCES place (id),
    firmware INTEGER NOT NULL REFERENCES firmware (id),
    -- The end of its name, seed and digest: `1-5f3a09c2`.
    name_end TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL,
    -- What it counts as: 0 passed, 1 failed, 2 error, 3 inconclusive, 4 discarded. An error of the firmware counts as failed.
    outcome INTEGER NOT NULL,
    -- 0 passed, 1 failed, 2 error, 3 inconclusive.
    verdict INTEGER NOT NULL,
    -- 1 firmware, 2 board, 3 bench, 4 scenario; null if nobody.
    blame INTEGER,
    -- From power to the cloud, undisturbed; null if it did not come there.
    connect_ns INTEGER,
    -- Who saw it connect: 0 the cloud, 1 the light.
    connect_by INTEGER,
    quarantine INTEGER REFERENCES quarantine (id)
) STRICT;
-- Every report is a walk through this one.
CREATE INDEX trial_facts ON trial (scenario, cell, place, firmware, outcome, run, connect_by, connect_ns);
CREATE INDEX trial_run ON trial (run, outcome);
CREATE INDEX trial_name ON trial (name_end);
CREATE INDEX trial_quarantine ON trial (quarantine) WHERE quarantine IS NOT NULL;

-- What there is to say about a trial that did not simply pass.
CREATE TABLE told (
    trial INTEGER PRIMARY KEY REFERENCES trial (id),
    reason TEXT NOT NULL,
    -- The step that failed, counted from 1, its line in the file and its sentence.
    step INTEGER,
    step_line INTEGER,
    step_text TEXT
) STRICT;

CREATE VIEW trials AS SELECT
    trial.id AS number,
    trial.run AS run,
    run.night AS night,
    strftime('%Y-%m-%dT%H:%M:%fZ', trial.started_ms / 1000.0, 'unixepoch') AS started,
    place.world AS world,
    place.bench AS bench,
    place.station AS station,
    place.board AS board,
    place.board_serial AS board_serial,
    scenario.path AS scenario,
    scenario.title AS title,
    scenario.sha256 AS scenario_sha256,
    cell.parameters AS parameters,
    cell.expected AS expected,
    firmware.name AS firmware,
    firmware.sha256 AS firmware_sha256,
    iif(cell.name = '', trial.name_end, cell.name || '.' || trial.name_end) AS id,
    substr(trial.name_end, 1, instr(trial.name_end, '-') - 1) AS seed,
    trial.attempt AS attempt,
    CASE trial.verdict WHEN 0 THEN 'passed' WHEN 1 THEN 'failed' WHEN 2 THEN 'error' ELSE 'inconclusive' END AS verdict,
    CASE trial.blame WHEN 1 THEN 'firmware' WHEN 2 THEN 'board' WHEN 3 THEN 'bench' WHEN 4 THEN 'scenario' END AS blame,
    CASE trial.outcome WHEN 0 THEN 'passed' WHEN 1 THEN 'failed' WHEN 2 THEN 'error' WHEN 3 THEN 'inconclusive' ELSE 'discarded' END AS outcome,
    coalesce(told.reason, '') AS reason,
    told.step AS step,
    told.step_line AS step_line,
    told.step_text AS step_text,
    trial.duration_ns AS duration_ns,
    trial.wall_ns AS wall_ns,
    trial.connect_ns AS connect_ns,
    CASE trial.connect_by WHEN 0 THEN 'cloud' WHEN 1 THEN 'light' END AS connect_by,
    quarantine.reason AS quarantine,
    quarantine.until AS quarantine_until,
    run.evidence AS evidence
FROM trial
    JOIN run ON run.id = trial.run
    JOIN scenario ON scenario.id = trial.scenario
    JOIN cell ON cell.id = trial.cell
    JOIN place ON place.id = trial.place
    JOIN firmware ON firmware.id = trial.firmware
    LEFT JOIN told ON told.trial = trial.id
    LEFT JOIN quarantine ON quarantine.id = trial.quarantine;
