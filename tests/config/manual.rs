//! The tables of docs/configuration.md are those that the readers declare.
//!
//! `WRITE_DOCS=1 cargo test --test config manual` writes them.

use std::fs;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
const BEGIN: &str = "<!-- keys of ";
const END: &str = "<!-- end of keys -->";
const HELP: &str = "WRITE_DOCS=1 cargo test --test config manual writes the declared keys";

#[test]
fn the_documentation_lists_every_key() {
    let manual = wayspan::component::manual();
    let text = fs::read_to_string(PATH).unwrap();
    let mut written = String::new();
    let mut listed = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->\n").unwrap();
        let (_, after) = after.split_once(END).unwrap();
        let table = manual.tables().iter().find(|table| table.name == name);
        let table = table.unwrap_or_else(|| panic!("nothing has the keys of {name}"));
        written += &format!("{before}{BEGIN}{name} -->\n\n{}\n{END}", table.markdown());
        listed.push(name);
        rest = after;
    }
    written += rest;
    for table in manual.tables() {
        let times = listed.iter().filter(|name| **name == table.name).count();
        assert_eq!(times, 1, "{PATH} lists {} {times} times", table.name);
    }
    if std::env::var_os("WRITE_DOCS").is_some() {
        fs::write(PATH, &written).unwrap();
        return;
    }
    for (at, (line, declared)) in text.lines().zip(written.lines()).enumerate() {
        assert_eq!(line, declared, "{PATH}:{}: {HELP}", at + 1);
    }
    assert!(text == written, "{PATH}: {HELP}");
}
