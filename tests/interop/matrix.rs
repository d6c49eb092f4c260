//! One Asterisk, every combination of what can be agreed on: each cell is a call that asks its whole
//! questionnaire, and is judged by what the wire shows of it.
//!
//! ```text
//! {UDP, TCP} × {PCMU, PCMA} × {RFC 4733, INFO, in-band} × {no auth, digest} × {timers off, required}
//!            × {direct, through Kamailio and rtpengine}              = 96 cells, each an endpoint of Asterisk
//! {UDP, TCP} × {PCMU, PCMA} over IPv6                                =  4
//! ```
//! What was seen stands as a table in docs/interop.md, and this test fails when it is seen otherwise;
//! `BATON_GOLDEN=write cargo test --test interop matrix::` writes it anew. `BATON_CELLS="TCP | PCMA | INFO"` calls
//! only the cells whose name has that in it.

mod cell;
mod seen;

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use crate::asterisk::Asterisk;
use crate::baton::Outcome;
use crate::capture::Capture;
use crate::kamailio::Kamailio;
use crate::transports::PRESS_ALL;
use crate::witness;
use cell::Cell;
use seen::Seen;

/// Calls at once: they wait more than they work, but each asks for a few seconds of sound in time.
const AT_ONCE: u16 = 14;
/// A socket that is closed may be seen for a moment after.
const ROOM: u16 = 2 * AT_ONCE;

/// Between these two lines of the page the table stands.
const PAGE: &str = "docs/interop.md";
const BEGIN: &str = "<!-- the table below is written by tests/interop/matrix.rs -->\n";
const END: &str = "<!-- end of the table -->\n";

#[test]
fn every_combination_asks_its_whole_questionnaire() {
    let transports = ["udp 127.0.0.1", "tcp 127.0.0.1", "udp [::1]", "tcp [::1]"];
    let asterisk = Asterisk::streaming(ROOM, &transports, PRESS_ALL, &cell::endpoints());
    let kamailio = Kamailio::of(ROOM, asterisk.port);
    // All of TCP: Asterisk and Kamailio open connections of their own from any port.
    let [servers, relay] = [asterisk.ports(), kamailio.ports()]
        .map(|ports| format!("udp portrange {}-{}", ports.start(), ports.end()));
    let capture = Capture::start(&format!("tcp or {servers} or {relay}"));
    let mut cells = Cell::all();
    let chosen = std::env::var("BATON_CELLS").unwrap_or_default();
    cells.retain(|cell| cell.to_string().contains(&chosen));
    let outcomes = call_each(&cells, &asterisk, &kamailio);
    let wire = capture.stop();
    let (sip, rtp) = (witness::sip(&wire), witness::rtp(&wire));
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    let mut connections = BTreeSet::new();
    for (cell, outcome) in cells.iter().zip(&outcomes) {
        let Some(outcome) = outcome else {
            failures.push(format!("{cell}: no result"));
            continue;
        };
        let seen = Seen::of(cell, outcome, &sip, &rtp, &kamailio.ports());
        connections.extend(seen.tcp_ports());
        match seen.check(cell, outcome) {
            Ok(()) => rows.push(format!("| {} | {} |\n", cell.columns(), seen.columns())),
            Err(faults) => {
                failures.push(format!("{cell}: {}\n{}{}", faults.join("; "), seen.trace(), outcome.stderr))
            }
        }
    }
    let count = cells.len();
    assert!(failures.is_empty(), "{} of {count} failed:\n{}", failures.len(), failures.join("\n"));
    // Other programs use TCP on loopback too.
    let ports = connections.iter().map(|port| format!(" || tcp.port == {port}")).collect::<String>();
    let complaints = wire.complaints(&format!("(sip || rtp || rtcp) && (udp{ports})"));
    assert_eq!(complaints, Vec::<String>::new(), "tshark complains");
    if chosen.is_empty() {
        keep(&format!("{}{}", seen::HEAD, rows.concat()));
    }
}

/// Calls all cells, some at once; a call that left no result has said why.
fn call_each(cells: &[Cell], asterisk: &Asterisk, kamailio: &Kamailio) -> Vec<Option<Outcome>> {
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..cells.len()).collect());
    let outcomes = Mutex::new(cells.iter().map(|_| None).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(index) = waiting.lock().unwrap().pop_front() else { return };
                    let outcome = catch_unwind(AssertUnwindSafe(|| cells[index].call(asterisk, kamailio)));
                    outcomes.lock().unwrap()[index] = outcome.ok();
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

/// Holds the table against the page, or writes it there.
fn keep(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the table has its place in the page");
    let (kept, after) = rest.split_once(END).expect("the table has its end in the page");
    if kept == table {
        return;
    }
    if std::env::var_os("BATON_GOLDEN").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    let differs = table.lines().filter(|line| !kept.contains(*line)).collect::<Vec<_>>();
    panic!(
        "{PAGE} does not say what was seen, which is\n{}\n(BATON_GOLDEN=write writes it)",
        differs.join("\n")
    );
}
