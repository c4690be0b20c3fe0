//! YAML text to a tree in which every value knows its place in the file.
//!
//! Boundary: the only module that knows the YAML parser. It reports what is wrong with the YAML itself (syntax, anchors, tags) and knows
//! nothing of what is in the file. Scalars stay text: `off`, `no` and `1e3` mean what the reader of the value says they mean.
//!
//! A file may be hostile: its size, its depth and the number of nodes that aliases can make of it are bounded.

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span};

use crate::mistake::{Mistake, MistakeKind, Mistakes, Place};
use crate::suggest;

/// Longer files are refused before they are parsed. The longest file that ships has 7 kB.
const LARGEST_FILE: usize = 1 << 20;
/// The most values a file may hold with every alias written out.
const MOST_NODES: usize = 50_000;
/// The deepest nesting of lists and mappings. A scenario needs eight, and nothing needs more.
const DEEPEST: usize = 32;
/// After a syntax error only lists and mappings this deep are kept although they are not finished: the file and its list of steps.
const KEPT_UNFINISHED: usize = 2;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Of a list or a mapping: its beginning, as far as its first line goes.
    pub place: Place,
}

/// What can stand at a place.
#[derive(Clone, Debug)]
pub enum Value {
    /// A scalar.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A mapping.
    Map(Vec<Entry>),
    /// A value whose mistake has been reported already; nobody complains about it again.
    Broken,
}

/// A scalar as it is written, without its quotes.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its letters.
    pub text: String,
    /// `""` is a text without letters; nothing at all is a value that is missing.
    pub quoted: bool,
}

impl Text {
    /// Whether nothing was written at all.
    pub fn is_nothing(&self) -> bool {
        !self.quoted && self.text.trim().is_empty()
    }
}

/// A key of a mapping and its value, in the order of the file. A key may come twice.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// What stands behind it.
    pub value: Node,
}

/// How much of the file the tree holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Only what stands before a syntax error: what is missing may simply not have been read.
    UpToSyntaxError,
}

/// The tree of `text`, as far as it can be read. `None`: nothing in it can be judged. `beginning` is what the author of an empty file is
/// told to begin with.
pub fn parse(text: &str, beginning: &str, mistakes: &mut Mistakes) -> Option<(Node, Extent)> {
    if text.len() > LARGEST_FILE {
        let message = format!("the file has {} bytes, more than the {LARGEST_FILE} that are read", text.len());
        mistakes.report(Mistake::new(MistakeKind::TooLarge, Place::START, message));
        return None;
    }
    let mut builder = Builder::new(text, mistakes);
    let mut extent = Extent::Whole;
    for event in Parser::new_from_str_with_options(text, options()) {
        match event {
            Ok((event, span)) => {
                if builder.take(event, builder.place(&span)) == Flow::Stop {
                    break;
                }
            }
            Err(error) => {
                builder.syntax_error(&error);
                extent = Extent::UpToSyntaxError;
                break;
            }
        }
    }
    let root = builder.finish();
    if root.is_none() && extent == Extent::Whole && !mistakes.is_any() {
        let empty = Mistake::new(MistakeKind::MissingValue, Place::START, "the file is empty");
        mistakes.report(empty.help(format!("begin with {beginning}")));
    }
    root.map(|node| (node, extent))
}

fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.emit_unresolved_aliases = true;
    options.emit_anchor_events = true;
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    options
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

/// A list or a mapping that is being read.
struct Open {
    place: Place,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<Key> },
}

enum Key {
    Usable(String, Place),
    /// Its mistake has been reported; the value belonging to it is skipped.
    Broken,
}

struct Builder<'t, 'm> {
    text: &'t str,
    mistakes: &'m mut Mistakes,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    /// Finished values with an anchor, by the parser's number.
    anchored: BTreeMap<usize, Node>,
    anchor_names: Vec<String>,
    documents: usize,
}

impl<'t, 'm> Builder<'t, 'm> {
    fn new(text: &'t str, mistakes: &'m mut Mistakes) -> Self {
        let (open, anchored, anchor_names) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { text, mistakes, open, root: None, nodes: 0, anchored, anchor_names, documents: 0 }
    }

    /// The bytes of `span`, cut off at the end of their first line: a block's span runs on into the lines after it.
    fn place(&self, span: &Span) -> Place {
        let start = self.floor(span.start.byte_offset().unwrap_or(0));
        let end = self.floor(span.end.byte_offset().unwrap_or(start)).max(start);
        let first_line = self.text[start..end].find(['\n', '\r']).map_or(end, |length| start + length);
        Place { start, end: first_line }
    }

    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    fn take(&mut self, event: Event<'_>, place: Place) -> Flow {
        match event {
            Event::DocumentStart(..) => return self.start_document(place),
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain;
                let broken = tag.is_some() && self.refuse_tag(place);
                // The parser says `~` where nothing stands.
                let nothing = place.start == place.end && !quoted;
                let text = if nothing { String::new() } else { text.into_owned() };
                let value = if broken { Value::Broken } else { Value::Text(Text { text, quoted }) };
                return self.value(Node { value, place }, anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.is_some(), place);
                self.open.push(Open { place, anchor, items: Items::List(Vec::new()) });
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.is_some(), place);
                self.open.push(Open { place, anchor, items: Items::Map { entries: Vec::new(), key: None } });
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(place),
            Event::Anchor(_, name) => self.anchor_names.push(name.into_owned()),
            Event::Alias(id) => return self.alias(id, place),
            Event::UnresolvedAlias(name) => return self.unknown_anchor(&name, place),
            _ => {}
        }
        Flow::GoOn
    }

    fn start_document(&mut self, place: Place) -> Flow {
        self.documents += 1;
        if self.documents == 1 {
            return Flow::GoOn;
        }
        let second = Mistake::new(MistakeKind::UnsupportedYaml, place, "a second document begins here");
        self.mistakes.report(second.label("what follows is not read").help("put it into a file of its own"));
        Flow::Stop
    }

    fn check_tag(&mut self, tagged: bool, place: Place) {
        if tagged {
            self.refuse_tag(place);
        }
    }

    fn refuse_tag(&mut self, place: Place) -> bool {
        let tag = Mistake::new(MistakeKind::UnsupportedYaml, place, "YAML tags (`!name`) have no meaning here");
        self.mistakes.report(tag.label("tagged value").help("remove the tag"));
        true
    }

    fn alias(&mut self, id: usize, place: Place) -> Flow {
        let Some(node) = self.anchored.get(&id).cloned() else {
            let itself = Mistake::new(MistakeKind::UnsupportedYaml, place, "this alias stands inside its own anchor");
            self.mistakes.report(itself.help("write the value out"));
            return self.value(Node { value: Value::Broken, place }, 0);
        };
        self.nodes += count(&node);
        self.value(node, 0)
    }

    fn unknown_anchor(&mut self, name: &str, place: Place) -> Flow {
        let unknown = Mistake::new(MistakeKind::UnknownAnchor, place, format!("unknown anchor `{name}`"));
        let names = self.anchor_names.iter().map(String::as_str);
        self.mistakes.report(unknown.label("not defined above").help(suggest::help("anchors", name, names)));
        self.value(Node { value: Value::Broken, place }, 0)
    }

    fn close(&mut self, end: Place) -> Flow {
        let Some(open) = self.open.pop() else { return Flow::GoOn };
        let place = self.first_line(open.place.start, end.end);
        let value = match open.items {
            Items::List(nodes) => Value::List(nodes),
            Items::Map { entries, .. } => Value::Map(entries),
        };
        self.value(Node { value, place }, open.anchor)
    }

    /// From `start` to the end of that line or to `end`, whichever comes first, without blanks at the end.
    fn first_line(&self, start: usize, end: usize) -> Place {
        let line = self.text[start..end.max(start)].lines().next().unwrap_or("").trim_end();
        Place { start, end: start + line.len() }
    }

    /// A complete value: the next key, the value of the last key, the next item, or the root.
    fn value(&mut self, node: Node, anchor: usize) -> Flow {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            let message = format!("the file holds more than {MOST_NODES} values once its aliases are written out");
            self.mistakes.report(Mistake::new(MistakeKind::TooLarge, node.place, message));
            return Flow::Stop;
        }
        if anchor != 0 {
            self.anchored.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map { entries, key }) => match key.take() {
                Some(Key::Usable(key, key_place)) => entries.push(Entry { key, key_place, value: node }),
                Some(Key::Broken) => {}
                None => *key = Some(read_key(node, self.mistakes)),
            },
        }
        Flow::GoOn
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let at = self.floor(error.marker().byte_offset().unwrap_or(self.text.len()));
        let place = Place { start: at, end: at };
        let line_start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let indent = &line[..line.len() - line.trim_start().len()];
        let mistake = match indent.find('\t') {
            Some(tab) => {
                let place = Place { start: line_start + tab, end: line_start + tab + 1 };
                let tab = Mistake::new(MistakeKind::Syntax, place, "a tab in the indentation");
                tab.label("tab").help("YAML indents with spaces only")
            }
            None => Mistake::new(MistakeKind::Syntax, place, format!("not YAML: {}", error.info()))
                .label("reading stopped here")
                .help("mistakes below this line are not reported until it is YAML"),
        };
        self.mistakes.report(mistake);
    }

    /// What has been read, with unfinished innermost values thrown away.
    fn finish(mut self) -> Option<Node> {
        self.open.truncate(KEPT_UNFINISHED);
        while self.root.is_none() && !self.open.is_empty() {
            // A list of which no item was finished is not empty: what stands in it has not been read.
            if let Some(Open { place, items: Items::List(items), .. }) = self.open.last_mut()
                && items.is_empty()
            {
                items.push(Node { value: Value::Broken, place: *place });
            }
            let here = self.open.last().map_or(Place::START, |open| open.place);
            self.close(here);
        }
        self.root
    }
}

fn read_key(node: Node, mistakes: &mut Mistakes) -> Key {
    match node.value {
        Value::Text(Text { text, .. }) => Key::Usable(text, node.place),
        Value::Broken => Key::Broken,
        Value::List(_) | Value::Map(_) => {
            let key = Mistake::new(MistakeKind::UnsupportedYaml, node.place, "a key must be a word");
            mistakes.report(key.label("this is a list or a mapping").help("`${name}` is written with a dollar sign"));
            Key::Broken
        }
    }
}

fn count(node: &Node) -> usize {
    match &node.value {
        Value::Text(_) | Value::Broken => 1,
        Value::List(nodes) => 1 + nodes.iter().map(count).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| count(&entry.value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Node, Extent) {
        parse(text, "anything", &mut Mistakes::default()).unwrap()
    }

    /// The texts at every place of the tree.
    fn texts<'t>(node: &Node, text: &'t str, found: &mut Vec<(String, &'t str)>) {
        match &node.value {
            Value::Text(scalar) => found.push((scalar.text.clone(), &text[node.place.start..node.place.end])),
            Value::List(nodes) => nodes.iter().for_each(|node| texts(node, text, found)),
            Value::Map(entries) => {
                for entry in entries {
                    found.push((entry.key.clone(), &text[entry.key_place.start..entry.key_place.end]));
                    texts(&entry.value, text, found);
                }
            }
            Value::Broken => {}
        }
    }

    #[test]
    fn every_value_knows_its_place_even_behind_letters_of_several_bytes() {
        let text = "título: été\nlist:\n  - { 'a b': 5V, ü: \"\" }\n";
        let mut found = Vec::new();
        texts(&read(text).0, text, &mut found);
        let expected = [
            ("título", "título"),
            ("été", "été"),
            ("list", "list"),
            ("a b", "'a b'"),
            ("5V", "5V"),
            ("ü", "ü"),
            ("", "\"\""),
        ];
        assert_eq!(found, expected.map(|(text, source)| (text.to_owned(), source)));
    }

    #[test]
    fn nothing_and_an_empty_text_are_different() {
        let (root, _) = read("a:\nb: ''\n");
        let Value::Map(entries) = root.value else { panic!("a mapping") };
        let nothing = |entry: &Entry| matches!(&entry.value.value, Value::Text(text) if text.is_nothing());
        assert!(nothing(&entries[0]) && !nothing(&entries[1]));
    }

    #[test]
    fn after_a_syntax_error_what_was_complete_is_kept() {
        let (root, extent) = read("a: 1\nsteps:\n  - b: 2\n  - c: { d: 3\n  - e: 4\n");
        assert_eq!(extent, Extent::UpToSyntaxError);
        let Value::Map(entries) = root.value else { panic!("a mapping") };
        let Value::List(steps) = &entries[1].value.value else { panic!("a list") };
        assert_eq!((entries.len(), steps.len()), (2, 1));
    }

    #[test]
    fn a_block_is_shown_by_its_first_line_only() {
        let text = "a:\n  b: 1\n  c: 2\n";
        let Value::Map(entries) = read(text).0.value else { panic!("a mapping") };
        let place = entries[0].value.place;
        assert_eq!(&text[place.start..place.end], "b: 1");
    }

    proptest! {
        #[test]
        fn places_lie_inside_the_text_and_between_letters(text in "[a-zé:\\-{}\\[\\], \n'\"&*#\t]{0,80}") {
            if let Some((root, _)) = parse(&text, "anything", &mut Mistakes::default()) {
                texts(&root, &text, &mut Vec::new());
            }
        }
    }
}
