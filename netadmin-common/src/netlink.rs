//! The netlink walk (in work).
