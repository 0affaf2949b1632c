//! The only door to the disk: bounded reads in, whole-or-absent writes out.
//!
//! * [`read`] takes files, pipes and directory listings in, never more than a stated limit.
//! * [`lines`] takes a file of any length in, line by line.
//! * [`output_dir`] puts a set of files into one directory, all of them or none.
//! * [`atomic`] carries one file from "written aside" to "visible under its name".
//! * [`work_dir`] is what a long run works in: a lock, small files, logs that only grow.
//! * [`ceremony_dir`] is what one participant of a ceremony works in.
//! * [`write_error`] states what stood in the way of a write.

pub mod atomic;
pub mod ceremony_dir;
pub mod lines;
pub mod output_dir;
pub mod read;
pub mod work_dir;
pub mod write_error;
