//! However the program ends, its children end too.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::setup::{Folder, command, find, find_for, living};

/// Starts the program, waits until all of its children live, sends the signal, and waits until none
/// does.
async fn end_by(signal: Signal) -> std::process::ExitStatus {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let mut program = command(&data, "--coins btc").spawn().unwrap();
    // Two chains, four coordinators, four processors, and the program itself.
    find("eleven processes", || async { (living(&data).len() == 11).then_some(()) }).await;
    let pid = Pid::from_raw(i32::try_from(program.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    let status = program.wait().unwrap();
    // What ends in order has ended before the program; after a kill the others notice by themselves.
    let patience = Duration::from_secs(if signal == Signal::KILL { 20 } else { 1 });
    let left = || async { living(&data).is_empty().then_some(()) };
    find_for(patience, &format!("the end of {:?}", living(&data)), left).await;
    status
}

#[tokio::test]
async fn children_end_with_the_program_on_ctrl_c() {
    assert!(end_by(Signal::INT).await.success());
}

#[tokio::test]
async fn children_end_when_the_program_is_killed() {
    assert!(!end_by(Signal::KILL).await.success());
}
