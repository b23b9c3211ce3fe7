//! `docs/troubleshooting.md` has one section for each check.

use crate::cli::doctor::checks;

#[test]
fn each_check_has_its_section() {
    let manual = include_str!("../../../../docs/troubleshooting.md");
    let sections: Vec<&str> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let ids: Vec<&str> = checks::all().map(|check| check.id).collect();
    assert_eq!(
        sections, ids,
        "sections of docs/troubleshooting.md, and checks"
    );
    for section in manual.split("\n### ").skip(1) {
        let words = section.split_whitespace().count();
        assert!(words > 15, "says too little: {section}");
    }
}
