//! The agent: reads the policy, enforces it and reports.
//!
//! Its rooms know little of each other: [`policy`] (the file, checked and
//! compiled), [`kernel`] (the programs, loaded and attached), [`cgroups`] (who is
//! guarded), [`events`] (what the programs tell, as JSON), [`doctor`] (what this
//! machine can do), [`check`], [`explain`], [`exec`], [`operations`], [`metrics`],
//! what is done about a breach, what an agent has done ([`history`]), what was there
//! before ([`inventory`]), and [`run`], which brings them together.

mod breach;
pub mod cgroups;
pub mod check;
pub mod cli;
pub mod doctor;
pub mod events;
pub mod exec;
pub mod exit;
pub mod explain;
pub mod history;
pub mod inventory;
pub mod kernel;
pub mod metrics;
mod netlink;
pub mod notify;
pub mod operations;
pub mod output;
pub mod policy;
pub mod records;
pub mod run;
pub mod status;
