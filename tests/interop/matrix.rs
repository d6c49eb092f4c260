//! One Asterisk, every combination of what can be agreed on: each call must ask its whole questionnaire.
//!
//! ```text
//! {UDP, TCP} × {IPv4, IPv6} × {PCMU, PCMA}
//! ```

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::asterisk::Asterisk;
use crate::baton::{Call, Setting};
use crate::transports::PRESS_ALL;

/// Calls at once: more would need more ports, and more patience of two cores.
const AT_ONCE: usize = 6;

/// One combination.
#[derive(Clone, Debug)]
struct Cell {
    transport: &'static str,
    host: &'static str,
    codec: &'static str,
    /// Asterisk's endpoint, which the user of From names.
    endpoint: String,
}

impl Cell {
    fn all() -> VecDeque<Self> {
        let mut cells = VecDeque::new();
        for transport in ["udp", "tcp"] {
            for host in ["127.0.0.1", "[::1]"] {
                for (codec, name) in [("PCMU", "ulaw"), ("PCMA", "alaw")] {
                    let family = if host.starts_with('[') { "six" } else { "four" };
                    cells.push_back(Self { transport, host, codec, endpoint: format!("{name}-{family}") });
                }
            }
        }
        cells
    }

    fn call(&self, port: u16) -> Result<(), String> {
        let from = format!("sip:{}@baton.example", self.endpoint);
        // We offer both codecs; the endpoint takes the one.
        let trunk = format!("transport = \"{}\"", self.transport);
        let setting = Setting { host: self.host, from: &from, more: &trunk, ..Setting::new(port) };
        let outcome = Call::set(&setting).finish();
        let said = format!("answered, {}", self.codec);
        let (disposition, age) = (&outcome.result["disposition"], &outcome.result["responses"][1]["value"]);
        if disposition == "complete" && age == 42 && outcome.stderr.contains(&said) {
            return Ok(());
        }
        Err(format!("{self:?}: {disposition}, age {age}\n{}", outcome.stderr))
    }
}

/// The endpoints that the cells name.
fn endpoints() -> String {
    let mut text = String::new();
    for codec in ["ulaw", "alaw"] {
        for (family, more) in [("four", ""), ("six", "rtp_ipv6=yes\n")] {
            text.push_str(&format!(
                "[{codec}-{family}]\ntype=endpoint\ncontext=phone\ndisallow=all\nallow={codec}\n\
                 dtmf_mode=rfc4733\ndirect_media=no\n{more}"
            ));
        }
    }
    text
}

#[test]
fn every_combination_asks_its_whole_questionnaire() {
    let transports = ["udp 127.0.0.1", "tcp 127.0.0.1", "udp [::1]", "tcp [::1]"];
    let asterisk = Asterisk::at(&transports, PRESS_ALL, &endpoints());
    let cells = Mutex::new(Cell::all());
    let count = cells.lock().unwrap().len();
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(cell) = cells.lock().unwrap().pop_front() else { return };
                    if let Err(failure) = cell.call(asterisk.port) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count} failed:\n{}\n{}",
        failures.len(),
        failures.join("\n"),
        asterisk.log()
    );
}
