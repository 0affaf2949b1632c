//! What came in, told to people.

use dvkey_ceremony::agdkg::plan::Plan;

use super::{say, show_aside};
use crate::cli::report::named;
use crate::cli::ui::printer::Printer;
use crate::cli::ui::words::{count, printable};
use crate::format::ceremony_file::short;
use crate::workflow::ceremony::collection::Taken;
use crate::workflow::ceremony::folder::Imported;

/// What came in.
pub(super) fn show(imported: &Imported, plan: Option<&Plan>, printer: &Printer) {
    let mut foreign = if plan.is_some() { imported.more_refused } else { 0 };
    for (origin, kind, taken) in &imported.taken {
        let origin = printable(origin);
        let what = kind.words();
        match taken {
            Taken::New(Some(id)) => say(&format!("took in {what} of {}", named(plan, *id)), printer),
            Taken::New(None) => printer.detail(&format!("took in {what}: {origin}")),
            Taken::Evidence(fault) => printer.warning(&format!("{origin}: {what}; {}", fault.check.refusal())),
            Taken::OtherCeremony if plan.is_none() => {
                printer.detail(&format!("{origin}: {what}, left in the inbox until there is a plan"));
            }
            Taken::OtherCeremony => {
                foreign += 1;
                printer.detail(&format!("{origin}: {what} of another ceremony, left alone"));
            }
            Taken::Stranger => {
                foreign += 1;
                printer.detail(&format!("{origin}: {what} of somebody who is not in the plan, left alone"));
            }
            Taken::Damaged(fault) => {
                printer.warning(&format!("{origin}: {}; ask for it again, on another medium", fault.check.refusal()));
            }
            Taken::TooMany => printer.detail(&format!("{origin}: {what}, one more of the same, left alone")),
            Taken::Known => {}
        }
    }
    if foreign > 0 {
        let plan = plan.map(|plan| short(plan.hash())).unwrap_or_default();
        printer.message(&format!("left alone: {} not of plan {plan}", count(foreign, "file")));
    }
    if imported.known > 0 {
        printer.detail(&format!("{} known before", count(imported.known, "file")));
    }
    show_aside(&imported.aside, printer);
}
