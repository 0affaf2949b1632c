//! The only door to the machine: its memory, its signals, its network and other programs.
//!
//! * [`harden`] keeps secrets out of core dumps and away from debuggers.
//! * [`offline`] gives up the right to open and use sockets.
//! * [`memory`] finds out how much memory there is and shares it out.
//! * [`interrupt`] turns a signal into an orderly exit that leaves nothing behind.
//! * [`password`] fetches the password of a keystore without asking anybody.
//! * [`command_template`] turns a command line into arguments without a shell.
//! * [`password_helper`] runs such commands in a process of their own.

pub mod command_template;
pub mod harden;
pub mod interrupt;
pub mod memory;
pub mod offline;
pub mod password;
pub mod password_helper;
