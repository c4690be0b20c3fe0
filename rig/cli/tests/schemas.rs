//! The schemas against the readers: what an editor accepts, completes and explains is what the rig reads.
//!
//! Boundary: shapes, keys and words, judged by somebody else's validator. What files have to do with boards, with each other and with
//! themselves is for the readers alone.
//!
//! Editors are asked through the YAML language server, which `BRICKPROOF_YAML_LANGUAGE_SERVER` names and node runs. Where it is missing the test
//! says so loudly and checks nothing; with `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use brickproof_scenario::{Diagnostics, Library, Mistake, MistakeKind};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// A kind of file that people write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Scenario,
    Campaign,
    Board,
    Bench,
}

const KINDS: [Kind; 4] = [Kind::Scenario, Kind::Campaign, Kind::Board, Kind::Bench];

/// Where what ships is written by people.
const SHIPPED: [&str; 3] = ["scenarios", "hardware", "rig/lane/scenarios"];

/// Files of which a schema cannot say what is wrong: limits, timings and what stations share are judged by what stands elsewhere.
const BEYOND_A_SCHEMA: [&str; 7] = [
    "fixtures/broken-scenarios/07-limits.yaml",
    "fixtures/broken-scenarios/08-timing.yaml",
    "fixtures/broken-benches/04-pins.yaml",
    "fixtures/broken-benches/05-places.yaml",
    "fixtures/broken-benches/06-limits.yaml",
    "fixtures/broken-benches/07-together.yaml",
    "fixtures/broken-benches/09-switches.yaml",
];

/// Every mapping that no file that ships has.
const SPECIMENS: [(Kind, &str); 3] = [
    (
        Kind::Bench,
        "bench: everything
stations:
  one:
    board: lantern-nrf52840
    keys: { register: true, server: { key: k.der, address: example.org } }
    console: { driver: rfc2217, address: \"10.0.0.1:4000\" }
    supply: { driver: hub-port, hub: 1-1, port: 1 }
    lines: { driver: command, program: [x], lines: [reset] }
    dfu: { driver: dfuse, usb: \"2b04:d00c\" }
    firewall: { driver: nftables, interface: eth1 }
  two:
    board: lantern-nrf52840
    console: { driver: rtt }
    supply: { driver: ppk2, at: x, voltage_ceiling: 5V }
    lines: { driver: rppal }
  three:
    board: lantern-nrf52840
    console: { driver: defmt, elf: x.elf }
    supply: { driver: command, program: [x], voltage_ceiling: 5V }
",
    ),
    (
        Kind::Campaign,
        "campaign: Everything
scenario: x.yaml
sweep:
  vary:
    fault.after: { from: 0ms, to: 1ms }
    fault.at: { from: 0%, to: 1% }
    fault.hold: { from: 1ms, to: 2ms }
    fault.floor: { from: 1V, to: 2V }
    fault.fall: { from: 50us/V, to: 60us/V }
    fault.rise: { from: 50us/V, to: 60us/V }
    fault.current: { from: 1mA, to: 2mA }
    fault.cells: { from: ideal, to: marginal }
    fault.again: { from: 1ms, to: 2ms }
",
    ),
    (
        Kind::Scenario,
        "scenario: Everything
board: photon
cloud: { behaviour: genuine, latency: 50ms }
firmware: lantern-no-heal
steps:
  - supply: { bench: { voltage: 5V, current_limit: 500mA } }
  - reset: { hold: 100ms }
  - press: { button: mode, for: 3s }
  - cloud: { behaviour: silent }
  - expect: { current: { above: 300mA }, within: 1s }
  - never: { current: { above: 300mA }, for: 1s }
  - on: { current: { above: 300mA }, within: 1s }
    fault: { power_cut: {} }
  - expect: { light: { colour: red, blink: 100ms }, within: 1s }
  - expect: { any: [{ current: { below: 1mA } }, { light: { solid: red } }], within: 1s }
cleanup:
  - supply: { bench: { voltage: 5V, current_limit: 500mA } }
  - supply: { battery: { cell: 1200mAh, aged: true, charge: 6% } }
  - reset: { hold: 100ms }
  - cloud: { behaviour: genuine }
",
    ),
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Campaign => "campaign",
            Self::Board => "board",
            Self::Bench => "bench",
        }
    }

    /// That of a file, by its first key.
    fn of(file: &Value) -> Self {
        let has = |key: &str| file.get(key).is_some();
        match () {
            () if has("campaign") => Self::Campaign,
            () if has("bench") || has("stations") => Self::Bench,
            () if has("steps") || has("scenario") => Self::Scenario,
            () => Self::Board,
        }
    }

    fn schema(self, library: &Library) -> Value {
        match self {
            Self::Scenario => brickproof_scenario::schema(library),
            Self::Campaign => brickproof_explore::schema(),
            Self::Board => brickproof_boards::schema(),
            Self::Bench => brickproof_bench::file::schema(library),
        }
    }

    /// What the rig says of a file. `path` is where it seems to be.
    fn read(self, path: &str, text: &str, library: &Library) -> Result<(), Diagnostics> {
        match self {
            Self::Scenario => brickproof_scenario::load(path, text, library).map(drop),
            Self::Campaign => brickproof_explore::load(path, text).map(drop),
            Self::Board => library.clone().add_board(path, text),
            Self::Bench => brickproof_bench::file::load(path, text, library).map(drop),
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The paths of the YAML files below a folder of the repository, from its root on.
fn yaml_below(folder: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        if path.ends_with(".yaml") {
            found.push(path);
        } else if repository().join(&path).is_dir() {
            let entries = fs::read_dir(repository().join(&path)).expect("it is committed");
            open.extend(entries.map(|it| format!("{path}/{}", it.expect("a name").file_name().display())));
        }
    }
    found.sort();
    found
}

fn text_of(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn parsed(path: &str, text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn shipped() -> Vec<(String, Value)> {
    let paths: Vec<String> = SHIPPED.iter().flat_map(|folder| yaml_below(folder)).collect();
    assert!(paths.len() > 60, "{paths:?}");
    paths.into_iter().map(|path| (path.clone(), parsed(&path, &text_of(&path)))).collect()
}

/// The same; addresses of boards stay as they are written: YAML takes them for numbers, and JSON would have those in decimal.
fn shipped_with_addresses() -> Vec<(String, Value)> {
    let quoted = |text: &str| {
        let mut pieces = text.split("0x");
        let mut whole = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let digits = piece.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(piece.len());
            let is_value = whole.ends_with([' ', '[']);
            let mark = if is_value { "\"" } else { "" };
            whole.push_str(&format!("{mark}0x{}{mark}{}", &piece[..digits], &piece[digits..]));
        }
        whole
    };
    let again = |(path, file): (String, Value)| match Kind::of(&file) {
        Kind::Board => (path.clone(), parsed(&path, &quoted(&text_of(&path)))),
        _ => (path, file),
    };
    shipped().into_iter().map(again).collect()
}

fn validators(library: &Library) -> BTreeMap<Kind, Validator> {
    let compiled = |kind: Kind| jsonschema::draft7::new(&kind.schema(library)).expect("it is a schema of draft 7");
    KINDS.into_iter().map(|kind| (kind, compiled(kind))).collect()
}

/// What the validator has against a file, one line for each.
fn told(validator: &Validator, file: &Value) -> String {
    let told = validator.iter_errors(file).map(|error| format!("{}: {error}", error.instance_path()));
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_committed_schemas_are_those_that_the_command_prints() {
    let kinds = KINDS.map(Kind::name).into_iter().chain(["results", "timeline"]);
    for name in kinds {
        let called = std::process::Command::new(env!("CARGO_BIN_EXE_brickproof")).args(["schema", name]).output();
        let printed = String::from_utf8(called.expect("the command was built").stdout).expect("JSON is UTF-8");
        let path = format!("fixtures/schemas/{name}.json");
        assert!(text_of(&path) == printed, "write it anew: brickproof schema {name} > {path}");
    }
}

#[test]
fn every_file_that_ships_leads_an_editor_to_its_schema_and_keeps_to_it() {
    let validators = validators(&Library::built_in());
    for (path, file) in shipped() {
        let kind = Kind::of(&file);
        let text = text_of(&path);
        let line = text.lines().next().unwrap_or_default();
        let leads = line.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{path}: {line}"));
        let schema = repository().join(&path).with_file_name(leads).canonicalize().expect("it leads to a file");
        let wanted = repository().join(format!("fixtures/schemas/{}.json", kind.name()));
        assert_eq!(schema, wanted.canonicalize().expect("it is committed"), "{path}");
        let told = told(&validators[&kind], &file);
        assert!(told.is_empty(), "{path}\n{told}");
    }
}

#[test]
fn what_is_broken_is_refused_by_the_schema_and_by_the_reader() {
    let library = Library::built_in();
    let validators = validators(&library);
    let mut judged = 0;
    for path in ["fixtures/broken-scenarios", "fixtures/broken-benches"].into_iter().flat_map(yaml_below) {
        let text = text_of(&path);
        let kind = if path.contains("benches") { Kind::Bench } else { Kind::Scenario };
        assert!(kind.read(&path, &text, &library).is_err(), "{path}");
        // What is no YAML is no file for a schema.
        let Ok(file) = serde_yaml::from_str::<Value>(&text) else { continue };
        let is_beyond = BEYOND_A_SCHEMA.contains(&path.as_str());
        assert_eq!(validators[&kind].is_valid(&file), is_beyond, "{path}\n{}", told(&validators[&kind], &file));
        judged += usize::from(!is_beyond);
    }
    assert!(judged >= 8, "{judged}");
}

/// A word that no file has and that is near no other.
const STRANGER: &str = "zzqx";

/// A place in a file, and what the schema says of it.
#[derive(Clone, Debug)]
struct Spot<'s> {
    /// Where in the file, as a JSON pointer.
    place: String,
    /// Where in the schema: the same shape is looked at once.
    shape: String,
    schema: &'s Value,
}

/// Every shape that may stand at a spot: what is referred to and what is one of several among them.
fn shapes<'s>(whole: &'s Value, spot: &Spot<'s>) -> Vec<Spot<'s>> {
    let at = |shape: String, schema| Spot { place: spot.place.clone(), shape, schema };
    if let Some(name) = spot.schema["$ref"].as_str() {
        let pointer = name.trim_start_matches('#').to_owned();
        let schema = whole.pointer(&pointer).expect("it is defined");
        return shapes(whole, &at(pointer, schema));
    }
    let several = spot.schema["anyOf"].as_array().filter(|_| spot.schema["type"].is_null());
    let Some(several) = several else { return vec![spot.clone()] };
    let each = several.iter().enumerate();
    each.flat_map(|(index, schema)| shapes(whole, &at(format!("{}/anyOf/{index}", spot.shape), schema))).collect()
}

/// Whether a mapping can be of this shape: it has all that are needed, nothing else, and the driver that is named.
fn fits(shape: &Value, entries: &Map<String, Value>) -> bool {
    let Some(known) = shape["properties"].as_object() else { return shape["additionalProperties"].is_object() };
    let required = shape["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let driver = known.get("driver").and_then(|it| it["enum"][0].as_str());
    entries.keys().all(|key| known.contains_key(key))
        && required.iter().filter_map(Value::as_str).all(|key| entries.contains_key(key))
        && driver.is_none_or(|word| entries.get("driver").is_none_or(|it| it == word))
}

/// Every spot of a file, each with the shapes that it has.
fn spots<'s>(whole: &'s Value, file: &Value) -> Vec<(Spot<'s>, Vec<Spot<'s>>)> {
    let (mut all, mut open) = (Vec::new(), vec![Spot { place: String::new(), shape: String::new(), schema: whole }]);
    while let Some(spot) = open.pop() {
        let shapes = shapes(whole, &spot);
        let value = file.pointer(&spot.place).expect("the place was found in the file");
        let below = |key: &str, shape: String, schema| {
            let key = key.replace('~', "~0").replace('/', "~1");
            Spot { place: format!("{}/{key}", spot.place), shape, schema }
        };
        match value {
            Value::Object(entries) => {
                for shape in shapes.iter().filter(|it| it.schema["type"] == "object" && fits(it.schema, entries)) {
                    open.extend(entries.keys().filter_map(|key| match &shape.schema["properties"][key] {
                        Value::Null if shape.schema["additionalProperties"].is_object() => {
                            let names = format!("{}/additionalProperties", shape.shape);
                            Some(below(key, names, &shape.schema["additionalProperties"]))
                        }
                        Value::Null => None,
                        known => Some(below(key, format!("{}/properties/{key}", shape.shape), known)),
                    }));
                }
            }
            Value::Array(items) => {
                for shape in shapes.iter().filter(|it| it.schema["type"] == "array") {
                    let items = 0..items.len();
                    open.extend(
                        items
                            .map(|at| below(&at.to_string(), format!("{}/items", shape.shape), &shape.schema["items"])),
                    );
                }
            }
            _ => {}
        }
        all.push((spot, shapes));
    }
    all
}

/// Every mapping of a schema that has known keys, by its place in it.
fn mappings(schema: &Value, place: String, found: &mut BTreeSet<String>) {
    if schema["additionalProperties"] == false {
        found.insert(place.clone());
    }
    let below: Vec<(String, &Value)> = match schema {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.replace('/', "~1"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => return,
    };
    below.into_iter().for_each(|(key, value)| mappings(value, format!("{place}/{key}"), found));
}

/// The words in the help to a mistake about the stranger.
fn listed(mistakes: &[Mistake]) -> Option<BTreeSet<String>> {
    let about = |it: &&Mistake| it.to_string().contains(&format!("`{STRANGER}`"));
    let help = mistakes.iter().filter(about).find_map(Mistake::suggestion)?;
    // What follows an `as in` is an example.
    let help = help.split("; or write").next().unwrap_or(help);
    Some(help.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// A file as YAML: JSON is, but for what is nothing.
fn written(file: &Value) -> String {
    file.to_string().replace(":null", ": ")
}

/// The file with something else at a place.
fn with(file: &Value, place: &str, value: Value) -> Value {
    let mut changed = file.clone();
    *changed.pointer_mut(place).expect("the place was found in the file") = value;
    changed
}

#[test]
fn the_schemas_have_the_keys_and_words_that_the_readers_know() {
    let library = Library::built_in();
    let mut unseen = BTreeSet::new();
    let mut files = shipped_with_addresses();
    files.extend(
        SPECIMENS.iter().map(|(kind, text)| (format!("{}-specimen.yaml", kind.name()), parsed("specimen", text))),
    );
    for kind in KINDS {
        let whole = kind.schema(&library);
        let (mut seen, mut words_seen) = (BTreeSet::new(), BTreeSet::new());
        for (path, file) in files.iter().filter(|(_, file)| Kind::of(file) == kind) {
            for (spot, shapes) in spots(&whole, file) {
                let value = file.pointer(&spot.place).expect("it is there");
                if let Value::Object(entries) = value {
                    for shape in shapes
                        .iter()
                        .filter(|it| it.schema["additionalProperties"] == false && fits(it.schema, entries))
                    {
                        if seen.insert(shape.shape.clone()) {
                            let mut entries = entries.clone();
                            entries.insert(STRANGER.to_owned(), json!(1));
                            let changed = with(file, &spot.place, entries.into());
                            compare_keys(kind, path, shape, &changed, &library);
                        }
                    }
                }
                let words = words(&whole, &spot, &shapes);
                // To be absent is a word of every section alike.
                let words: BTreeSet<&str> = words.into_iter().filter(|word| *word != "absent").collect();
                if !words.is_empty() && words_seen.insert(spot.shape.clone()) {
                    let changed = with(file, &spot.place, STRANGER.into());
                    compare_words(kind, path, &spot, &words, &changed, &library);
                }
            }
        }
        let mut all = BTreeSet::new();
        mappings(&whole, String::new(), &mut all);
        unseen.extend(all.difference(&seen).map(|place| format!("{}: {place}", kind.name())));
    }
    assert!(unseen.is_empty(), "no file has these mappings:\n{unseen:#?}");
}

/// The words that may stand at a spot. Each driver of an instrument is a shape of its own.
fn words<'s>(whole: &'s Value, spot: &Spot<'_>, shapes: &[Spot<'s>]) -> BTreeSet<&'s str> {
    let beside = spot.shape.split_once("/anyOf/").filter(|_| spot.shape.ends_with("/properties/driver"));
    let drivers = beside.and_then(|(instrument, _)| whole.pointer(instrument)?["anyOf"].as_array());
    let drivers = drivers.into_iter().flatten().map(|it| &it["properties"]["driver"]);
    let schemas = shapes.iter().map(|it| it.schema).chain(drivers);
    schemas.filter_map(|it| it["enum"].as_array()).flatten().filter_map(Value::as_str).collect()
}

fn compare_keys(kind: Kind, path: &str, shape: &Spot<'_>, changed: &Value, library: &Library) {
    let known = shape.schema["properties"].as_object().expect("it has known keys");
    // A colour stands alone among the keys of a look, and is none.
    let known: BTreeSet<String> =
        known.iter().filter(|(_, it)| it["type"] != "null").map(|(key, _)| key.clone()).collect();
    let mistakes = kind.read(path, &written(changed), library).expect_err("nobody knows that key");
    let listed =
        listed(mistakes.mistakes()).unwrap_or_else(|| panic!("{path} {}\n{}", shape.shape, mistakes.render(120)));
    if shape.shape.ends_with("cleanup_step") {
        assert!(known.is_subset(&listed), "{known:?} {listed:?}");
    } else {
        assert_eq!(known, listed, "the schema and the reader of {path} at {}", shape.shape);
    }
}

fn compare_words(kind: Kind, path: &str, spot: &Spot<'_>, words: &BTreeSet<&str>, changed: &Value, library: &Library) {
    let mistakes = kind.read(path, &written(changed), library).expect_err("nobody knows that word");
    let Some(listed) = listed(mistakes.mistakes()) else {
        panic!("{path} {} {words:?}\n{}", spot.shape, mistakes.render(120));
    };
    let unknown: Vec<&String> = listed.iter().filter(|word| !words.contains(word.as_str())).collect();
    assert!(unknown.is_empty(), "the reader of {path} knows {unknown:?} at {}", spot.shape);
}

/// What a schema can judge without knowing more than a value's place.
fn is_of_shape(mistake: &Mistake) -> bool {
    matches!(mistake.kind(), MistakeKind::UnknownKey | MistakeKind::WrongType | MistakeKind::MissingValue)
}

/// Ways to spoil the value at a place.
fn spoiled(place: &str, value: &Value) -> Vec<Value> {
    let mut spoiled = vec![json!([["a list in a list"]]), json!({ STRANGER: { "a": "mapping" } })];
    // In a list it would be a word.
    if !place.ends_with(|c: char| c.is_ascii_digit()) {
        spoiled.push(Value::Null);
    }
    if let Value::Object(entries) = value {
        for key in entries.keys() {
            let mut fewer = entries.clone();
            fewer.shift_remove(key);
            spoiled.push(fewer.into());
        }
        let mut more = entries.clone();
        more.insert(STRANGER.to_owned(), "more".into());
        spoiled.push(more.into());
    }
    if value.is_string() {
        spoiled.extend([json!(7), json!(STRANGER)]);
    }
    spoiled
}

/// Every how many spoiled files are looked at: there are tens of thousands.
const STRIDE: usize = 23;

#[test]
fn a_spoiled_file_is_refused_by_both_or_by_the_reader_alone() {
    let library = Library::built_in();
    let validators = validators(&library);
    let (mut counted, mut refused) = (0, 0);
    for (path, file) in shipped_with_addresses() {
        let kind = Kind::of(&file);
        let whole = kind.schema(&library);
        for (spot, _) in spots(&whole, &file) {
            let value = file.pointer(&spot.place).expect("it is there");
            for changed in spoiled(&spot.place, value) {
                counted += 1;
                if counted % STRIDE != 0 {
                    continue;
                }
                let changed = with(&file, &spot.place, changed);
                let by_reader = kind.read(&path, &written(&changed), &library);
                let by_schema = !validators[&kind].is_valid(&changed);
                refused += usize::from(by_schema);
                if by_schema {
                    let told = told(&validators[&kind], &changed);
                    assert!(by_reader.is_err(), "{path} {}: the schema alone refuses {changed:#}\n{told}", spot.place);
                }
                if let Err(mistakes) = by_reader {
                    let of_shape = mistakes.mistakes().iter().find(|it| is_of_shape(it));
                    let at = of_shape.filter(|_| !by_schema).map(ToString::to_string);
                    assert_eq!(at, None, "{path} {}: the reader alone refuses {}", spot.place, changed);
                }
            }
        }
    }
    assert!(refused > 500, "{refused} of {counted}");
}

/// The language server of editors, on its standard streams (the Language Server Protocol, version 3.17).
struct Server {
    child: std::process::Child,
    from: std::io::BufReader<std::process::ChildStdout>,
    asked: u64,
    /// What it has against each document that it was shown, by its URI.
    complaints: BTreeMap<String, Vec<String>>,
}

impl Server {
    /// Started by node; `None` where it is missing, and that is said.
    fn started() -> Option<Self> {
        let Some(program) = std::env::var_os("BRICKPROOF_YAML_LANGUAGE_SERVER") else {
            eprintln!("NOT CHECKED: BRICKPROOF_YAML_LANGUAGE_SERVER is not set, so no editor was asked");
            let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
            assert!(!required, "BRICKPROOF_YAML_LANGUAGE_SERVER is not set, and BRICKPROOF_REQUIRE_ORACLES is 1");
            return None;
        };
        let mut command = std::process::Command::new("node");
        command.arg(program).arg("--stdio").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("there is node where its packages are");
        let from = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
        let mut server = Self { child, from, asked: 0, complaints: BTreeMap::new() };
        server.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
        server.say(json!({ "method": "initialized", "params": {} }));
        let settings = json!({ "yaml": { "hover": true, "completion": true, "validate": true, "schemaStore": { "enable": false } } });
        server.say(json!({ "method": "workspace/didChangeConfiguration", "params": { "settings": settings } }));
        Some(server)
    }

    fn say(&mut self, mut message: Value) {
        use std::io::Write as _;
        message["jsonrpc"] = "2.0".into();
        let text = message.to_string();
        let to = self.child.stdin.as_mut().expect("it is piped");
        write!(to, "Content-Length: {}\r\n\r\n{text}", text.len()).and_then(|()| to.flush()).expect("it listens");
    }

    /// The next message; its own questions are answered with nothing.
    fn hear(&mut self) -> Value {
        use std::io::{BufRead as _, Read as _};
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).expect("it speaks") > 0, "it went away");
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse().expect("a number"),
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut text = vec![0; length];
        self.from.read_exact(&mut text).expect("it speaks to the end");
        let message: Value = serde_json::from_slice(&text).expect("it speaks JSON");
        match message["method"].as_str() {
            Some("textDocument/publishDiagnostics") => {
                let uri = message["params"]["uri"].as_str().expect("a document").to_owned();
                let told = message["params"]["diagnostics"].as_array().expect("a list").iter();
                let told = told.map(|it| format!("{}: {}", it["range"]["start"]["line"], it["message"]));
                self.complaints.insert(uri, told.collect());
            }
            Some(_) if !message["id"].is_null() => self.say(json!({ "id": message["id"], "result": null })),
            _ => {}
        }
        message
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.say(json!({ "id": id, "method": method, "params": params }));
        loop {
            let message = self.hear();
            if message["id"] == id && message["method"].is_null() {
                return message["result"].clone();
            }
        }
    }

    /// Shows a document that seems to be at this path of the repository; what is wrong with it.
    fn open(&mut self, path: &str, text: &str) -> (String, Vec<String>) {
        let uri = format!("file://{}/{path}", repository().canonicalize().expect("it is here").display());
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.say(json!({ "method": "textDocument/didOpen", "params": { "textDocument": document } }));
        while !self.complaints.contains_key(&uri) {
            self.hear();
        }
        (uri.clone(), self.complaints[&uri].clone())
    }

    /// What is offered at the end of the only line that ends with `after`.
    fn offered(&mut self, uri: &str, text: &str, after: &str) -> Vec<String> {
        let result = self.ask("textDocument/completion", place(uri, text, after, after.len()));
        let items = result["items"].as_array().or(result.as_array()).expect("a list").clone();
        items.iter().filter_map(|it| it["label"].as_str()).map(str::to_owned).collect()
    }

    /// What is told of the first letter of `word`.
    fn told_of(&mut self, uri: &str, text: &str, word: &str) -> String {
        self.ask("textDocument/hover", place(uri, text, word, 0))["contents"].to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn place(uri: &str, text: &str, mark: &str, behind: usize) -> Value {
    let at = text.find(mark).expect("the mark is in the text") + behind;
    let before = &text[..at];
    let column = before.len() - before.rfind('\n').map_or(0, |it| it + 1);
    let position = json!({ "line": before.matches('\n').count(), "character": column });
    json!({ "textDocument": { "uri": uri }, "position": position })
}

#[test]
fn an_editor_completes_explains_and_complains_and_has_nothing_against_what_ships() {
    let Some(mut editor) = Server::started() else { return };
    let text = "# yaml-language-server: $schema=../fixtures/schemas/scenario.json\nscenario: x\nboard: lantern-nrf51\n\
                firmware: lantern-heal-full\nsteps:\n  - expect: { light: sos, within: 30s }\n  - \n  - expect:\n      light: \n";
    let (uri, _) = editor.open("scenarios/new.yaml", text);
    let verbs = editor.offered(&uri, text, "within: 30s }\n  - ");
    assert!(
        ["supply", "expect", "fault", "repeat"].iter().all(|verb| verbs.contains(&(*verb).to_owned())),
        "{verbs:?}"
    );
    let lights = editor.offered(&uri, text, "expect:\n      light: ");
    assert!(lights.contains(&"cloud_connected".to_owned()), "{lights:?}");
    let told = editor.told_of(&uri, text, "within");
    assert!(told.contains("How long to wait for it") && told.contains("30s"), "{told}");
    let wrong =
        text.replace("within: 30s", "withn: 30s").replace("  - \n", "").replace("  - expect:\n      light: \n", "");
    let (_, complaints) = editor.open("scenarios/wrong.yaml", &wrong);
    assert!(complaints.iter().any(|it| it.starts_with("5: ") && it.contains("withn")), "{complaints:?}");
    for (path, _) in shipped() {
        let (_, complaints) = editor.open(&path, &text_of(&path));
        assert!(complaints.is_empty(), "{path}: {complaints:#?}");
    }
}
