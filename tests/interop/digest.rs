//! A trunk that asks for name and password: Asterisk 22 with digest, each algorithm.

use crate::asterisk::Asterisk;
use crate::baton::Call;

/// An Asterisk whose endpoint wants `baton` with `s3cret`, by these algorithms.
fn asking(algorithms: &str) -> Asterisk {
    let endpoint = format!(
        "auth=trunk\n[trunk]\ntype=auth\nauth_type=digest\nusername=baton\npassword=s3cret\n\
         supported_algorithms_uas={algorithms}"
    );
    Asterisk::start(
        &["Wait(2)", "SendDTMF(1,250,160)", "Wait(2)", "SendDTMF(42#,200,160)", "Wait(20)"],
        &endpoint,
    )
}

#[test]
fn a_trunk_that_asks_gets_its_answer_in_each_algorithm() {
    for algorithms in ["MD5", "SHA-256", "SHA-512-256"] {
        let asterisk = asking(algorithms);
        let outcome = Call::with_password(asterisk.port, "s3cret", "").finish();
        outcome.assert_complete(42, "42");
    }
}

#[test]
fn of_several_algorithms_one_is_enough() {
    let asterisk = asking("MD5,SHA-256,SHA-512-256");
    Call::with_password(asterisk.port, "s3cret", "").finish().assert_complete(42, "42");
}

#[test]
fn a_wrong_password_is_a_fault_of_the_trunk() {
    let asterisk = asking("MD5");
    let outcome = Call::with_password(asterisk.port, "wrong", "").finish();
    outcome.assert("trunk_fault", "3.11", 401);
}

#[test]
fn a_trunk_that_asks_and_gets_no_name_refuses_the_call() {
    let asterisk = asking("MD5");
    let outcome = Call::to(asterisk.port).finish();
    outcome.assert("trunk_fault", "3.11", 401);
}
