/*!
The typed reader: the keys of one map, each declared where it is read.

A declaration is a name, a type, a default and a sentence. From it come the value
with its place, the list of valid keys that an unknown one is held against, and
the tables of the documentation: for those the same readers run over nothing, with
a [`Reading`] that gathers. So a reader reads all its keys before it looks at any,
and never returns before.
*/

mod mixed;

use super::{
    address::UnixAddress,
    diagnostic::{Diagnostic, Findings, Spot, did_you_mean, nearest},
    node::{Node, NodeValue, shorten},
    reading::Reading,
    scalar::host_port,
    secrecy,
    value::{At, Field, ValueType, Word, field, join},
};
pub(crate) use mixed::Mixed;
use std::net::SocketAddr;

/// A key that has a default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<T> {
    /// Where the key is written, if it is.
    pub(crate) spot: Option<Spot>,
    /// Its value, or the default.
    pub(crate) value: T,
    /// Is true when the value is the file's.
    pub(crate) is_set: bool,
}

/// The keys of one map of the file.
pub(crate) struct KeyReader<'n> {
    cx: &'n Reading<'n>,
    entries: &'n [(String, Node)],
    path: String,
    spot: Option<Spot>,
    is_used: bool,
    /// There is a map, though it may be empty.
    has_value: bool,
    declared: Vec<&'static str>,
    /// Keys that have no place here, and were reported.
    misplaced: Vec<&'static str>,
    page: Option<Page>,
}

/// Where in the manual the keys are listed.
#[derive(Clone)]
struct Page {
    table: usize,
    prefix: String,
}

/// Reads the keys of `node`, found at `path`. None when it is no map. `is_used`:
/// something uses the component, so that keys without effect are worth a word.
pub(crate) fn read<'n, T>(
    node: &'n Node,
    (path, spot): (&str, Spot),
    is_used: bool,
    cx: &'n Reading<'n>,
    reader: impl FnOnce(&mut KeyReader<'n>) -> T,
) -> Option<T> {
    let mut keys = KeyReader::new(path.to_owned(), is_used, cx);
    keys.spot = Some(spot);
    keys.open(node).then(|| {
        let value = reader(&mut keys);
        keys.refuse_unknown();
        value
    })
}

/// Reads the keys of a map that is not there.
pub(crate) fn read_nothing<'n, T>(
    path: &str,
    cx: &'n Reading<'n>,
    reader: impl FnOnce(&mut KeyReader<'n>) -> T,
) -> T {
    reader(&mut KeyReader::new(path.to_owned(), true, cx))
}

/// Gathers the keys that `reader` declares in the table called `name`.
pub(crate) fn describe<T>(
    name: &str,
    cx: &Reading<'_>,
    reader: impl FnOnce(&mut KeyReader<'_>) -> T,
) {
    let mut keys = KeyReader::new(String::new(), true, cx);
    let begun = cx
        .manual()
        .and_then(|manual| manual.borrow_mut().begin(name));
    keys.page = begun.map(|table| Page {
        table,
        prefix: String::new(),
    });
    reader(&mut keys);
}

impl<'n> KeyReader<'n> {
    fn new(path: String, is_used: bool, cx: &'n Reading<'n>) -> Self {
        Self {
            cx,
            entries: &[],
            path,
            spot: None,
            is_used,
            has_value: false,
            declared: Vec::new(),
            misplaced: Vec::new(),
            page: None,
        }
    }

    /// Takes the entries of `node`. False, and reported, when it is no map.
    fn open(&mut self, node: &'n Node) -> bool {
        match &node.value {
            NodeValue::Map(entries) => {
                self.entries = entries;
                self.has_value = true;
            }
            _ if node.is_null() => {}
            _ => {
                let at = At {
                    node,
                    path: &self.path,
                    cx: self.cx,
                };
                let message = format!("{}: {}", self.path, at.expected("a map"));
                let mut wrong = Diagnostic::at(node.place, message);
                if let Some(address) = node.text().filter(|text| host_port(text).is_ok()) {
                    wrong = wrong.help(format!("write {{endpoint: \"{address}\"}}"));
                }
                self.cx.report().error(wrong);
                return false;
            }
        }
        true
    }

    /// What is lent for this reading.
    pub(crate) fn reading(&self) -> &'n Reading<'n> {
        self.cx
    }

    /// Where the map's own key is written, if it is.
    pub(crate) fn spot(&self) -> Option<Spot> {
        self.spot
    }

    /// Returns true if something uses the component. What wayspan lacks may
    /// stand in one that is not used.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used
    }

    /// Returns true if the map is there and not null, though it may be empty.
    pub(crate) fn has_value(&self) -> bool {
        self.has_value
    }

    /// The path of the map: `receivers.otlp.protocols.grpc`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn find(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The entry of `key`, else of the same key in other letters: Collectors before
    /// 0.72 took `logLevel` for `loglevel`.
    fn entry(&self, key: &str) -> Option<&'n (String, Node)> {
        let mut entries = self.entries.iter();
        let exact = entries.find(|(written, _)| written == key);
        let alike = |(written, _): &&(String, Node)| {
            written.eq_ignore_ascii_case(key) && !self.declared.contains(&written.as_str())
        };
        exact.or_else(|| self.entries.iter().find(alike))
    }

    fn declare(&mut self, key: &'static str, kind: String, default: String, effect: &'static str) {
        self.declared.push(key);
        if let Some((written, node)) = self.entry(key).filter(|(written, _)| written != key) {
            let spot = (self.cx.report()).spot(node.place, &join(&self.path, written));
            let message = format!("taken as \"{key}\": keys are written in lower case");
            self.cx.warn(Some(spot), &message);
        }
        if let (Some(page), Some(manual)) = (&self.page, self.cx.manual()) {
            let key = join(&page.prefix, key);
            (manual.borrow_mut()).add(page.table, key, (kind, default), effect);
        }
    }

    fn field<T: ValueType>(&self, key: &str) -> Field<T> {
        match self.find(key) {
            Some(node) => field(node, &join(&self.path, key), self.cx),
            None => Field::default(),
        }
    }

    /// Reads `key`, which is `default` when it is absent, null or bad.
    pub(crate) fn or<T: ValueType>(
        &mut self,
        key: &'static str,
        default: T,
        effect: &'static str,
    ) -> Setting<T> {
        let shown = match default.show() {
            text if text.is_empty() => String::new(),
            text => format!("`{text}`"),
        };
        self.declare(key, T::kind(), shown, effect);
        let Field { spot, value } = self.field(key);
        Setting {
            spot,
            is_set: value.is_some(),
            value: value.unwrap_or(default),
        }
    }

    /// Reads `key`, which may have no value: `otherwise` says what holds then.
    pub(crate) fn get<T: ValueType>(
        &mut self,
        key: &'static str,
        otherwise: &'static str,
        effect: &'static str,
    ) -> Field<T> {
        self.declare(key, T::kind(), otherwise.to_owned(), effect);
        self.field(key)
    }

    /// Declares `key`, whose value is read elsewhere, and finds it.
    pub(crate) fn node(
        &mut self,
        key: &'static str,
        (kind, otherwise): (&'static str, &'static str),
        effect: &'static str,
    ) -> Option<&'n Node> {
        self.declare(key, kind.to_owned(), otherwise.to_owned(), effect);
        self.find(key)
    }

    /// Reads a key that was declared as another type too.
    pub(crate) fn read_as<T: ValueType>(&self, key: &str) -> Field<T> {
        self.field(key)
    }

    /// Reads `key`, an address to listen on, and takes the address if the
    /// component is used.
    pub(crate) fn listener(
        &mut self,
        key: &'static str,
        default: &'static str,
        effect: &'static str,
    ) -> Option<SocketAddr> {
        let field = self.or(key, default.to_owned(), effect);
        self.listen(&field)
    }

    /// Takes the address to listen on that `field` says, if the component is
    /// used. Reports one that is wrong or taken.
    pub(crate) fn listen(&self, field: &Setting<String>) -> Option<SocketAddr> {
        let spot = field.spot.or(self.spot);
        if !field.is_set && self.is_used && self.cx.is_in_pod() {
            let default = &field.value;
            let open = default.replace("localhost", "0.0.0.0");
            let message = format!(
                "no endpoint is given, which means {default}: nobody outside this pod can reach \
                 it; write endpoint: {open}"
            );
            self.cx.warn(self.spot, &message);
        }
        let listen = || self.cx.listen(&field.value, &self.path, spot);
        self.is_used.then(listen).flatten()
    }

    /// The same for a unix socket, which was read from `field`.
    pub(crate) fn listen_unix(
        &self,
        address: Result<UnixAddress, String>,
        field: &Setting<String>,
    ) -> Option<UnixAddress> {
        let spot = field.spot.or(self.spot);
        let listen = || self.cx.listen_unix(address, &self.path, spot);
        self.is_used.then(listen).flatten()
    }

    /// Reads the map below `key`; with nothing there, over an empty one.
    pub(crate) fn section<T>(
        &mut self,
        key: &'static str,
        reader: impl FnOnce(&mut KeyReader<'n>) -> T,
    ) -> T {
        self.declared.push(key);
        let page = self.page.as_ref().map(|page| Page {
            table: page.table,
            prefix: join(&page.prefix, key),
        });
        self.below(key, page, reader)
    }

    /// As [`Self::section`], for a section that other components have too: its
    /// keys are in the table called `table`.
    pub(crate) fn shared<T>(
        &mut self,
        key: &'static str,
        (table, effect): (&'static str, &'static str),
        reader: impl FnOnce(&mut KeyReader<'n>) -> T,
    ) -> T {
        self.declare(key, "map".to_owned(), "none".to_owned(), effect);
        let manual = self.cx.manual();
        let begun = manual.and_then(|manual| manual.borrow_mut().begin(table));
        let page = begun.map(|table| Page {
            table,
            prefix: String::new(),
        });
        self.below(key, page, reader)
    }

    /// Reads `key`, which is a word for all of its section, or the section: the
    /// word, if it is one, and what `reader` makes of the keys.
    pub(crate) fn word_or_section<W: Word, T>(
        &mut self,
        key: &'static str,
        (default, effect): (W, &'static str),
        reader: impl FnOnce(&mut KeyReader<'n>) -> T,
    ) -> (Option<W>, T) {
        let kind = format!("{}, or a map", <W as ValueType>::kind());
        self.declare(key, kind, format!("`{}`", default.show()), effect);
        let is_word = |node: &&Node| matches!(node.value, NodeValue::Scalar(_)) && !node.is_null();
        if self.find(key).filter(is_word).is_some() {
            let word = self.field::<W>(key).value;
            return (
                word,
                reader(&mut KeyReader::new(
                    join(&self.path, key),
                    self.is_used,
                    self.cx,
                )),
            );
        }
        (None, self.section(key, reader))
    }

    /// Reads the list of maps below `key`, each with its place. None when there
    /// is no list.
    pub(crate) fn sections<T>(
        &mut self,
        key: &'static str,
        mut reader: impl FnMut(&mut KeyReader<'n>) -> T,
    ) -> Field<Vec<T>> {
        self.declared.push(key);
        let path = join(&self.path, key);
        if self.describes_item(key, &path, &mut reader) {
            return Field::default();
        }
        let Some((spot, items)) = self.items(key, &path) else {
            return Field::default();
        };
        let spot = Some(spot);
        let Some(items) = items else {
            return Field { spot, value: None };
        };
        let mut values = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let path = join(&path, i);
            let spot = self.cx.report().spot(item.place, &path);
            values.extend(read(
                item,
                (&path, spot),
                self.is_used,
                self.cx,
                &mut reader,
            ));
        }
        Field {
            spot,
            value: Some(values),
        }
    }

    /// Declares the keys of an item of the list below `key`, where the manual is written; false
    /// where it is not.
    fn describes_item<T>(
        &self,
        key: &str,
        path: &str,
        reader: &mut impl FnMut(&mut KeyReader<'n>) -> T,
    ) -> bool {
        let Some(page) = &self.page else {
            return false;
        };
        let mut keys = KeyReader::new(path.to_owned(), self.is_used, self.cx);
        keys.page = Some(Page {
            table: page.table,
            prefix: format!("{}[]", join(&page.prefix, key)),
        });
        reader(&mut keys);
        true
    }

    /// Returns the place of the list below `key`, and its items, unless it is null or, which is
    /// reported, no list.
    fn items(&self, key: &str, path: &str) -> Option<(Spot, Option<&'n [Node]>)> {
        let node = self.find(key)?;
        let spot = self.cx.report().spot(node.place, path);
        let items = match &node.value {
            NodeValue::List(items) => Some(&items[..]),
            _ => {
                if !node.is_null() {
                    let cx = self.cx;
                    let at = At { node, path, cx };
                    cx.error(Some(spot), &at.expected("a list"));
                }
                None
            }
        };
        Some((spot, items))
    }

    fn below<T>(
        &mut self,
        key: &'static str,
        page: Option<Page>,
        reader: impl FnOnce(&mut KeyReader<'n>) -> T,
    ) -> T {
        let mut keys = KeyReader::new(join(&self.path, key), self.is_used, self.cx);
        keys.page = page;
        if let Some(node) = self.find(key) {
            keys.spot = Some(self.cx.report().spot(node.place, &keys.path));
            keys.open(node);
        }
        let value = reader(&mut keys);
        keys.refuse_unknown();
        value
    }

    /// Where `key` is written, if it is and has a value.
    pub(crate) fn spot_of(&self, key: &str) -> Option<Spot> {
        let node = self.find(key).filter(|node| !node.is_null())?;
        Some(self.cx.report().spot(node.place, &join(&self.path, key)))
    }

    /// Declares keys of the Collector's that change nothing here: they are
    /// accepted with a warning.
    pub(crate) fn ignored(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.declared.push(key);
            if let (Some(page), Some(manual)) = (&self.page, self.cx.manual()) {
                (manual.borrow_mut()).add_ignored(page.table, join(&page.prefix, key));
            }
            if let Some(spot) = self.spot_of(key).filter(|_| self.is_used) {
                let message = "has no effect in wayspan; ignored";
                self.cx.warn(Some(spot), message);
            }
        }
    }

    /// Declares keys of the Collector's that wayspan does not honour and must
    /// not ignore.
    pub(crate) fn refused(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.declared.push(key);
            if let (Some(page), Some(manual)) = (&self.page, self.cx.manual()) {
                (manual.borrow_mut()).add_refused(page.table, join(&page.prefix, key));
            }
            if let Some(spot) = self.spot_of(key).filter(|_| self.is_used) {
                let message = "not supported by wayspan yet; remove it";
                self.cx.error_at_key(Some(spot), message, "");
            }
        }
    }

    /// Declares a key that has no place here, where people often write it; `message`
    /// says what to write instead. Returns true if it is there.
    pub(crate) fn misplaced(&mut self, key: &'static str, message: &str) -> bool {
        self.misplaced.push(key);
        let spot = self.spot_of(key).filter(|_| self.is_used);
        self.cx.error_at_key(spot, message, "");
        spot.is_some()
    }

    fn refuse_unknown(&self) {
        let is_read = |written: &str| {
            let mut read = self.declared.iter().filter_map(|key| self.entry(key));
            read.any(|(found, _)| found == written)
        };
        for (key, node) in self.entries {
            if !is_read(key) && !self.misplaced.contains(&key.as_str()) {
                report_unknown(key, node, (&self.path, &self.declared), self.cx.report());
            }
        }
    }
}

/// Reports the keys among `entries` that are not among `valid`.
pub(crate) fn refuse_unknown(
    entries: &[(String, Node)],
    path: &str,
    valid: &[&str],
    report: &Findings,
) {
    for (key, node) in entries {
        if !valid.contains(&key.as_str()) {
            report_unknown(key, node, (path, valid), report);
        }
    }
}

/// Reports a key that is not among the `valid` ones of the map at `path`.
fn report_unknown(key: &str, node: &Node, (path, valid): (&str, &[&str]), report: &Findings) {
    let shown = shorten(key);
    let place = match path {
        "" => "at the top level".to_owned(),
        path => format!("in {path}"),
    };
    let hint = did_you_mean(key, valid);
    // What was meant may have been a secret.
    let hides = nearest(key, valid).is_none_or(secrecy::hides);
    let message = format!("unknown key \"{shown}\" {place}{hint}");
    report.error(
        Diagnostic::at_key(node.place, message)
            .hiding_value(hides)
            .help(format!("valid keys: {}", valid.join(", "))),
    );
}
