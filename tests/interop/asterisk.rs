//! An Asterisk of its own for one test: configured into a directory, chan_pjsip on a loopback port, strict RTP.
//! A caller whose From names an endpoint is taken for that, any other for `anonymous`; where the configuration identifies
//! callers by their addresses, by these alone.
//!
//! Each number answers, records what it hears, and presses keys.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::machine::{self, Place, Running};
use crate::signal;

/// A running Asterisk.
pub(crate) struct Asterisk {
    _process: Running,
    place: Place,
    /// Its SIP port.
    pub(crate) port: u16,
    calls: u16,
}

const MODULES: &[&str] = &[
    "app_echo",
    "app_mixmonitor",
    "app_playback",
    "app_read",
    "app_senddtmf",
    "app_verbose",
    "app_dial",
    "bridge_simple",
    "chan_pjsip",
    "codec_alaw",
    "codec_ulaw",
    "format_pcm",
    "format_wav",
    "func_channel",
    "pbx_config",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_authenticator_digest",
    "res_pjsip_dtmf_info",
    "res_pjsip_endpoint_identifier_anonymous",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_pubsub",
    "res_pjsip_rfc3326",
    "res_pjsip_sdp_rtp",
    "res_pjsip_session",
    "res_rtp_asterisk",
    "res_sorcery_astdb",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_timing_timerfd",
];

impl Asterisk {
    /// Starts it; `steps` are the dialplan applications that follow `Answer()` and the recorder. `endpoint`
    /// holds further lines of the PJSIP endpoint.
    #[track_caller]
    pub(crate) fn start(steps: &[&str], endpoint: &str) -> Self {
        Self::at(&["udp 127.0.0.1"], steps, endpoint)
    }

    /// The same with these transports, each a protocol and an address.
    #[track_caller]
    pub(crate) fn at(transports: &[&str], steps: &[&str], endpoint: &str) -> Self {
        Self::run(15, "", transports, steps, endpoint)
    }

    /// The same for so many calls at once, each with a stream of silence to the caller from the answer on. What
    /// its recorder then writes has holes.
    #[track_caller]
    pub(crate) fn streaming(calls: u16, transports: &[&str], steps: &[&str], endpoint: &str) -> Self {
        Self::run(calls, "transmit_silence = yes\n", transports, steps, endpoint)
    }

    #[track_caller]
    fn run(calls: u16, options: &str, transports: &[&str], steps: &[&str], endpoint: &str) -> Self {
        let run = machine::tool("asterisk/run");
        let tree = run.parent().unwrap().to_owned();
        let place = Place::new();
        let home = place.path().display().to_string();
        let port = machine::ports(2 + 2 * calls);
        let triplet = std::fs::read_dir(tree.join("usr/lib")).unwrap().map(|entry| entry.unwrap().path());
        let library =
            triplet.filter(|path| path.join("asterisk/modules").is_dir()).last().expect("a whole tree");
        let directories =
            ["astetcdir", "astvarlibdir", "astdbdir", "astkeydir", "astspooldir", "astrundir", "astlogdir"]
                .map(|name| format!("{name} => {home}\n"))
                .concat();
        place.write(
            "asterisk.conf",
            format!(
                "[directories]\n{directories}astmoddir => {}\nastdatadir => {}\n[options]\nverbose = 4\n{options}",
                library.join("asterisk/modules").display(),
                tree.join("usr/share/asterisk").display(),
            ),
        );
        let by_address = endpoint.contains("type=identify");
        let modules = MODULES.iter().filter(|module| !by_address || !module.ends_with("_anonymous"));
        let load: String = modules.map(|module| format!("load = {module}.so\n")).collect();
        place.write("modules.conf", format!("[modules]\nautoload = no\n{load}"));
        place.write("logger.conf", "[general]\n[logfiles]\nmessages => notice,warning,error,verbose\n");
        let (first, last) = (port + 2, port + 1 + 2 * calls);
        place.write("rtp.conf", format!("[general]\nrtpstart={first}\nrtpend={last}\nstrictrtp=yes\n"));
        let transports = transports.map_lines(|transport| {
            let (protocol, address) = transport.split_once(' ').unwrap();
            format!("[{transport}]\ntype=transport\nprotocol={protocol}\nbind={address}:{port}\n")
        });
        let order = if by_address { "ip" } else { "username,anonymous" };
        place.write(
            "pjsip.conf",
            format!(
                "[global]\ntype=global\nendpoint_identifier_order={order}\n{transports}\
                 [anonymous]\ntype=endpoint\ncontext=phone\ndisallow=all\nallow=ulaw,alaw\n\
                 dtmf_mode=rfc4733\ndirect_media=no\nsend_rpid=no\n{endpoint}\n"
            ),
        );
        let steps = steps.map_lines(|step| format!(" same => n,{step}\n"));
        place.write(
            "extensions.conf",
            format!(
                "[phone]\nexten => _[+0-9].,1,Answer()\n\
                 same => n,MixMonitor({home}/both-${{EXTEN}}.wav,r({home}/heard-${{EXTEN}}.wav))\n{steps} same => n,Hangup()\n"
            ),
        );
        let mut command = Command::new(run);
        command.arg("-C").arg(place.file("asterisk.conf")).args(["-f", "-n"]);
        let screen = std::fs::File::create(place.file("screen.log")).unwrap();
        command.stdout(screen.try_clone().unwrap()).stderr(Stdio::from(screen)).current_dir(place.path());
        let mut process = Running::start(&mut command, "asterisk");
        let booted = machine::until(Duration::from_secs(20), || {
            place.read("messages").contains("Asterisk Ready") || process.is_over()
        });
        let failed = place.read("messages").contains("could not be started");
        assert!(
            booted && !failed,
            "Asterisk does not start:\n{}\n{}",
            place.read("screen.log"),
            place.read("messages")
        );
        Self { _process: process, place, port, calls }
    }

    /// What it recorded of its only caller. Waits until the recorder has closed its file.
    #[track_caller]
    pub(crate) fn heard(&self) -> Vec<i16> {
        let ended =
            machine::until(Duration::from_secs(10), || self.log().contains("End MixMonitor Recording"));
        assert!(ended, "Asterisk recorded nothing:\n{}", self.log());
        let files = std::fs::read_dir(self.place.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_heard = |file: &std::path::PathBuf| file.to_str().unwrap().contains("/heard-");
        signal::read_wav(&files.filter(is_heard).last().unwrap())
    }

    /// The ports that it speaks from: SIP, then RTP.
    pub(crate) fn ports(&self) -> std::ops::RangeInclusive<u16> {
        self.port..=self.port + 1 + 2 * self.calls
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.place.read("messages")
    }
}

/// One line of text for each element.
trait Lines {
    fn map_lines(&self, line: impl Fn(&str) -> String) -> String;
}

impl Lines for [&str] {
    fn map_lines(&self, line: impl Fn(&str) -> String) -> String {
        self.iter().map(|element| line(element)).collect()
    }
}
