//! What an attacker with `CAP_NET_ADMIN` and `CAP_NET_RAW` would do. The tests
//! of the promises are built on it.

pub mod attack;
