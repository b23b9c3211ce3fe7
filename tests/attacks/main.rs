/*!
The proof that one sender cannot hurt another, from outside: honest senders
beside attackers that send up to 1 MB/s, under the limits of the manifest.

`CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo test --test attacks`: an unoptimised process
is too slow for the bounds. Idea: `catalogue` has a table of attacks for each
kind; `stage` plays one after another, each against a process of its own, and
prints a line of figures for each, which `figures` judges. An attack may be
refused, cut off or served: only what the honest get counts, and what the
process takes.

`WAYSPAN_LONG=1` plays all variants. `WAYSPAN_ATTACKS=WORD` plays those with this
word in their names.
*/

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attack;
mod catalogue;
mod cgroup;
mod figures;
mod honest;
mod manifest;
mod paced;
mod requests;
mod stage;
mod target;
mod watch;

use catalogue as kinds;

#[test]
fn resources_that_are_repeated() {
    stage::play(kinds::resources::all());
}

#[test]
fn messages_in_pieces() {
    stage::play(kinds::pieces::all());
}

#[test]
fn many_items_and_much_text() {
    stage::play(kinds::items::all());
}

#[test]
fn codings() {
    stage::play(kinds::codings::all());
}

#[test]
fn small_requests() {
    stage::play(kinds::small::all());
}

#[test]
fn json() {
    stage::play(kinds::json::all());
}

#[test]
fn zipkin() {
    stage::play(kinds::zipkin::all());
}

#[test]
fn hops_that_differ() {
    stage::play(kinds::hops::all());
}

#[test]
fn bodies_half_sent() {
    stage::play(kinds::half_sent::all());
}

#[test]
fn heads() {
    stage::play(kinds::heads::all());
}

#[test]
fn connections() {
    stage::play(kinds::connections::all());
}

#[test]
fn passwords() {
    stage::play(kinds::passwords::all());
}

#[test]
fn pairs() {
    stage::play(kinds::pairs::all());
}
