//! Metrics: what was told and what was lost, counted.

use std::net::TcpListener;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, ensure};

use crate::attack::SocketOption;
use crate::attack::sockopt::udp_socket;
use crate::rig::metrics::{Metrics, free_address, request};
use crate::rig::{Agent, Container, Trials, USUAL_POLICY};

const REFUSED: &str = "netadmin_agent_events_told_total\
    {event=\"refused\",policy=\"cnf\",operation=\"setsockopt.SO_DEBUG\"}";

pub fn add(trials: &mut Trials) {
    trials.alone("metrics_count_each_refusal_and_the_sum_is_exact", counted);
    trials.alone("metrics_are_all_that_is_served", nothing_else);
    trials.alone(
        "an_address_in_use_stops_no_enforcement_and_is_tried_again",
        in_use,
    );
}

fn refuse(times: usize) -> Result<()> {
    let container = Container::guarded()?;
    for _ in 0..times {
        let set = container.attempt(|| SocketOption::Debug.set(udp_socket()?.as_fd(), 1))?;
        ensure!(set.is_err(), "SO_DEBUG was not refused");
    }
    Ok(())
}

fn counted() -> Result<()> {
    let address = free_address()?;
    let agent = Agent::start_with_metrics(USUAL_POLICY, address)?;
    let before = Metrics::scrape(address)?;
    ensure!(before.value(REFUSED)? == 0, "{before:#?}");
    refuse(3)?;
    agent.mark()?;
    let after = Metrics::scrape(address)?;
    ensure!(after.value(REFUSED)? == 3, "{after:#?}");
    let count = |name: &str| after.value(&format!("netadmin_agent_{name}_total"));
    let told = count("events_submitted")? + count("events_suppressed")? + count("events_dropped")?;
    ensure!(count("events_seen")? == told && told >= 3, "{after:#?}");
    ensure!(count("breaches")? == 0, "{after:#?}");
    ensure!(
        after.value("netadmin_agent_guarded_cgroups")? > 0,
        "{after:#?}"
    );
    ensure!(agent.stop()? == 0);
    Ok(())
}

fn nothing_else() -> Result<()> {
    let address = free_address()?;
    let agent = Agent::start_with_metrics(USUAL_POLICY, address)?;
    Metrics::scrape(address)?;
    for (what, answer) in [
        ("GET /", "HTTP/1.1 404 "),
        ("POST /metrics", "HTTP/1.1 405 "),
        ("no request at all", "HTTP/1.1 400 "),
    ] {
        let got = request(address, what)?;
        ensure!(got.starts_with(answer), "{what}: {got}");
    }
    ensure!(agent.stop()? == 0);
    Ok(())
}

fn in_use() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("take a port")?;
    let address = listener.local_addr().context("its address")?;
    let mut agent = Agent::start_with_metrics(USUAL_POLICY, address)?;
    refuse(1)?;
    agent.wait_for_line("netadmin-agent: error: cannot serve metrics at")?;
    drop(listener);
    let later = Metrics::scrape(address)?;
    ensure!(later.value(REFUSED)? == 1, "{later:#?}");
    ensure!(agent.stop()? == 0);
    Ok(())
}
