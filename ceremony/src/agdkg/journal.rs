//! The journal: what a participant did, one line an event, each line chained to all before it (SPEC section 14).
//!
//! Not secret. It stops a participant whose files were rolled back, or whose disk was cloned, from certifying two
//! transcripts of one plan. Lines cut off at the end cannot be noticed from the journal alone.
//!
//! A line: the plan's hash, the event, its arguments, and `TH("agdkg-v1/journal", link before ‖ the line so far)`; all
//! hashes in hexadecimal, parts separated by one blank, a line feed at the end.

use std::fmt;

use crate::fault::{Check, Culprit, Fault};
use crate::hash::Tag;

/// Something that a participant did in a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The plan was confirmed.
    Accepted,
    /// My deal was made.
    Dealt {
        /// Its `r1_hash`.
        deal: [u8; 32],
    },
    /// A deal of somebody was taken in.
    Imported {
        /// Whose.
        sender: u64,
        /// Its `r1_hash`.
        deal: [u8; 32],
    },
    /// A transcript was certified.
    Certified {
        /// `T`.
        transcript: [u8; 32],
        /// The root over the outputs.
        outputs_root: [u8; 32],
    },
    /// A complaint was written.
    Complained {
        /// About whom.
        accused: u64,
    },
    /// The shares were released.
    Finished,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Dealt { deal } => write!(f, "dealt {}", hex::encode(deal)),
            Self::Imported { sender, deal } => write!(f, "imported {sender} {}", hex::encode(deal)),
            Self::Certified { transcript, outputs_root } => {
                write!(f, "certified {} {}", hex::encode(transcript), hex::encode(outputs_root))
            }
            Self::Complained { accused } => write!(f, "complained {accused}"),
            Self::Finished => f.write_str("finished"),
        }
    }
}

impl Event {
    fn read(words: &[&str]) -> Option<Self> {
        match words {
            ["accepted"] => Some(Self::Accepted),
            ["dealt", deal] => Some(Self::Dealt { deal: hash(deal)? }),
            ["imported", sender, deal] => Some(Self::Imported { sender: number(sender)?, deal: hash(deal)? }),
            ["certified", transcript, root] => {
                Some(Self::Certified { transcript: hash(transcript)?, outputs_root: hash(root)? })
            }
            ["complained", accused] => Some(Self::Complained { accused: number(accused)? }),
            ["finished"] => Some(Self::Finished),
            _ => None,
        }
    }
}

/// A journal whose chain holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    events: Vec<([u8; 32], Event)>,
    link: [u8; 32],
}

impl Journal {
    /// Reads a journal (C-90).
    ///
    /// # Errors
    /// [`Fault`] when a line is damaged, was changed, moved or taken out.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let damaged = Fault::new(Check::JournalForm, Culprit::Undecided);
        let mut journal = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (line, after) = rest.split_once('\n').ok_or(damaged)?;
            let words: Vec<_> = line.split(' ').collect();
            let Some((plan, [event @ .., _])) = words.split_first() else { return Err(damaged) };
            let (plan, event) = hash(plan).zip(Event::read(event)).ok_or(damaged)?;
            // Written again, it must be the same line: one spelling, one link.
            if journal.line(&plan, &event).strip_suffix('\n') != Some(line) {
                return Err(damaged);
            }
            journal.push(plan, event);
            rest = after;
        }
        Ok(journal)
    }

    /// Adds an event and returns the line that has to be on durable storage before anything is handed on; an event that
    /// is recorded already adds none.
    ///
    /// # Errors
    /// C-91 for a second transcript of one plan; C-92 for a complaint after certifying, or the reverse; C-95 for a
    /// second deal of mine in one plan: the same root and plan give the same deal.
    pub fn append(&mut self, plan: &[u8; 32], event: Event) -> Result<Option<String>, Fault> {
        let undecided = |check| Err(Fault::new(check, Culprit::Undecided));
        for (_, before) in self.events.iter().filter(|(of, _)| of == plan) {
            match (before, &event) {
                (before, event) if before == event => return Ok(None),
                (Event::Certified { .. }, Event::Certified { .. }) => return undecided(Check::JournalTranscript),
                (Event::Certified { .. }, Event::Complained { .. })
                | (Event::Complained { .. }, Event::Certified { .. }) => return undecided(Check::JournalComplained),
                (Event::Dealt { .. }, Event::Dealt { .. }) => return undecided(Check::OwnWork),
                _ => {}
            }
        }
        let line = self.line(plan, &event);
        self.push(*plan, event);
        Ok(Some(line))
    }

    /// What happened in one ceremony, in order.
    pub fn events<'a>(&'a self, plan: &'a [u8; 32]) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |(of, _)| of == plan).map(|(_, event)| event)
    }

    /// The plan that was accepted last: the ceremony that is going on.
    #[must_use]
    pub fn last_accepted(&self) -> Option<[u8; 32]> {
        self.events.iter().rev().find(|(_, event)| *event == Event::Accepted).map(|(plan, _)| *plan)
    }

    fn push(&mut self, plan: [u8; 32], event: Event) {
        self.link = self.next_link(&plan, &event);
        self.events.push((plan, event));
    }

    fn line(&self, plan: &[u8; 32], event: &Event) -> String {
        format!("{} {event} {}\n", hex::encode(plan), hex::encode(self.next_link(plan, event)))
    }

    fn next_link(&self, plan: &[u8; 32], event: &Event) -> [u8; 32] {
        Tag::JOURNAL.hash(&[&self.link, hex::encode(plan).as_bytes(), b" ", event.to_string().as_bytes()])
    }
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: [u8; 32] = [1; 32];
    const CERTIFIED: Event = Event::Certified { transcript: [3; 32], outputs_root: [4; 32] };

    fn written(events: &[Event]) -> (Journal, String) {
        let mut journal = Journal::default();
        let text = events.iter().map(|event| journal.append(&PLAN, *event).unwrap().unwrap()).collect();
        (journal, text)
    }

    #[test]
    fn c_90_journal_form() {
        let events = [
            Event::Accepted,
            Event::Dealt { deal: [2; 32] },
            Event::Imported { sender: 40, deal: [5; 32] },
            CERTIFIED,
            Event::Finished,
        ];
        let (journal, text) = written(&events);
        assert_eq!(Journal::parse(&text), Ok(journal.clone()));
        assert!(journal.events(&PLAN).eq(&events));
        let refused = |text: &str| assert_eq!(Journal::parse(text).err().map(|f| f.check), Some(Check::JournalForm));
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        // Every line but the last holds up what follows; whoever cuts the end off leaves a lawful, older journal.
        for left_out in 0..4 {
            let rest: String =
                lines.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, line)| *line).collect();
            refused(&rest);
        }
        refused(&[lines[1], lines[0]].concat());
        refused(text.trim_end());
        for (position, _) in text.bytes().enumerate() {
            let mut changed = text.clone().into_bytes();
            changed[position] ^= 1;
            refused(&String::from_utf8(changed).unwrap());
        }
        refused(&text.to_uppercase());
        refused("\n");
        refused(&text.replace("imported 40", "imported 040"));
    }

    #[test]
    fn c_91_one_transcript_for_each_plan() {
        let (mut journal, _) = written(&[Event::Accepted, CERTIFIED]);
        assert_eq!(journal.append(&PLAN, CERTIFIED), Ok(None));
        let other = Event::Certified { transcript: [9; 32], outputs_root: [4; 32] };
        let refused = journal.append(&PLAN, other).map_err(|fault| (fault.check, fault.code()));
        assert_eq!(refused, Err((Check::JournalTranscript, crate::fault::Code::E30)));
        assert!(journal.append(&[7; 32], other).is_ok());
        assert!(journal.events(&[7; 32]).eq(&[other]));
        assert!(journal.events(&PLAN).eq(&[Event::Accepted, CERTIFIED]));
    }

    #[test]
    fn c_92_no_complaint_after_certifying_nor_the_reverse() {
        let (mut journal, _) = written(&[CERTIFIED]);
        let refused = journal.append(&PLAN, Event::Complained { accused: 2 });
        assert_eq!(refused.map_err(|fault| fault.check), Err(Check::JournalComplained));
        let (mut journal, _) = written(&[Event::Complained { accused: 2 }]);
        assert_eq!(journal.append(&PLAN, CERTIFIED).map_err(|fault| fault.check), Err(Check::JournalComplained));
    }

    #[test]
    fn the_last_plan_is_the_one_that_goes_on() {
        let (mut journal, _) = written(&[Event::Accepted, CERTIFIED]);
        assert_eq!(Journal::default().last_accepted(), None);
        assert_eq!(journal.last_accepted(), Some(PLAN));
        journal.append(&[7; 32], Event::Accepted).unwrap();
        journal.append(&PLAN, Event::Finished).unwrap();
        assert_eq!(journal.last_accepted(), Some([7; 32]));
    }

    #[test]
    fn a_second_deal_in_one_plan_is_a_fault() {
        let (mut journal, _) = written(&[Event::Dealt { deal: [2; 32] }]);
        let refused = journal.append(&PLAN, Event::Dealt { deal: [3; 32] });
        assert_eq!(refused.map_err(|fault| fault.check), Err(Check::OwnWork));
    }
}
