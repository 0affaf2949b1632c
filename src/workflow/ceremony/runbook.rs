//! The script on paper: what everybody does, in order, with a numbered box for every step, for one plan.
//!
//! The template is `ceremony/runbooks/ceremony.txt`, which is in the program, so that the offline machine has it. A line is
//! a title (`= `), a section (`== `), a step (`[] `), a row (`| name | value`), a line to fill in (`___ `), a command (four
//! blanks), or text. `@each … @end` stands once for each participant, `@ssv`, `@generic` and `@precommit` for such plans.

use dvkey_ceremony::agdkg::plan::Plan;

use super::{network_of, withdrawal_addresses};

const TEMPLATE: &str = include_str!("../../../ceremony/runbooks/ceremony.txt");
/// The width of the text.
const WIDTH: usize = 78;

/// A piece of the script, filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Title(String),
    Section(String),
    Step(String),
    Row(String, String),
    Command(String),
    Blank(String),
    Text(String),
}

/// The script as text, 78 columns wide.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let mut number = 0;
    for piece in pieces(plan) {
        match piece {
            Piece::Title(text) => {
                wrap(&mut out, "", &text);
                out += &format!("{}\n", "=".repeat(text.chars().count().min(WIDTH)));
            }
            Piece::Section(text) => out += &format!("\n{text}\n{}\n", "-".repeat(text.chars().count().min(WIDTH))),
            Piece::Step(text) => {
                number += 1;
                out.push('\n');
                wrap(&mut out, &format!("{number:>3} [ ] "), &text);
                out += &format!("{:>8}initials ________  time ________\n", "");
            }
            Piece::Row(name, value) => wrap(&mut out, &format!("  {name:<18} "), &value),
            Piece::Command(text) => command(&mut out, &text),
            Piece::Blank(text) => out += &format!("\n  {}\n  {text}\n", "_".repeat(WIDTH - 4)),
            Piece::Text(text) => {
                out.push('\n');
                wrap(&mut out, "", &text);
            }
        }
    }
    out
}

/// The script as a page that prints well and asks nobody for anything.
#[must_use]
pub fn html(plan: &Plan) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Key ceremony</title>\n<style>\n\
         body{font:11pt/1.45 Georgia,serif;max-width:48em;margin:2em auto;padding:0 1em}\n\
         h2{border-bottom:1px solid;page-break-after:avoid;margin-top:1.6em}\n\
         .step{display:grid;grid-template-columns:2.2em 1.6em 1fr;margin:.7em 0;page-break-inside:avoid}\n\
         .box{width:.9em;height:.9em;border:1.5px solid;margin-top:.2em}\n\
         .sign{grid-column:3;font-size:85%;color:#555}\n\
         code{font:10pt monospace;overflow-wrap:anywhere}\n\
         td{vertical-align:top;padding:.1em 1em .1em 0;overflow-wrap:anywhere}\n\
         .fill{border-top:1px solid;margin-top:2.4em;font-size:85%;color:#555}\n</style>\n",
    );
    let (mut number, mut in_table) = (0, false);
    for piece in pieces(plan) {
        let is_row = matches!(piece, Piece::Row(..));
        if is_row != in_table {
            out += if is_row { "<table>\n" } else { "</table>\n" };
            in_table = is_row;
        }
        match piece {
            Piece::Title(text) => out += &format!("<h1>{}</h1>\n", escape(&text)),
            Piece::Section(text) => out += &format!("<h2>{}</h2>\n", escape(&text)),
            Piece::Step(text) => {
                number += 1;
                out += &format!(
                    "<div class=\"step\"><b>{number}</b><div class=\"box\"></div><div>{}</div>\
                     <div class=\"sign\">initials ________ time ________</div></div>\n",
                    escape(&text)
                );
            }
            Piece::Row(name, value) => {
                out += &format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(&name), escape(&value));
            }
            Piece::Command(text) => out += &format!("<p><code>{}</code></p>\n", escape(&text)),
            Piece::Blank(text) => out += &format!("<div class=\"fill\">{}&nbsp;</div>\n", escape(&text)),
            Piece::Text(text) => out += &format!("<p>{}</p>\n", escape(&text)),
        }
    }
    out += if in_table { "</table>\n</html>\n" } else { "</html>\n" };
    out
}

fn pieces(plan: &Plan) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut lines = TEMPLATE.lines();
    let mut paragraph = String::new();
    let general = values(plan);
    while let Some(line) = lines.next() {
        if let Some(condition) = line.strip_prefix('@') {
            if condition == "end" {
                continue;
            }
            let holds = match condition {
                "each" => true,
                "ssv" => plan.ssv().is_some(),
                "generic" => plan.ssv().is_none(),
                _ => plan.parameters().precommit,
            };
            if condition == "each" {
                let block: Vec<_> = lines.by_ref().take_while(|line| *line != "@end").collect();
                flush(&mut paragraph, &mut pieces);
                for one in plan.participants() {
                    let mut own = general.clone();
                    own.push(("id", one.id.to_string()));
                    own.push(("name", one.card.label().to_owned()));
                    block.iter().for_each(|line| add(&fill(line, &own), &mut paragraph, &mut pieces));
                }
            } else if !holds {
                skip(&mut lines);
            }
            continue;
        }
        add(&fill(line, &general), &mut paragraph, &mut pieces);
    }
    flush(&mut paragraph, &mut pieces);
    pieces
}

/// Passes over everything up to the `@end` that belongs to what was just opened.
fn skip<'a>(lines: &mut impl Iterator<Item = &'a str>) {
    let mut depth = 1;
    while depth > 0 {
        match lines.next() {
            Some("@end") => depth -= 1,
            Some(line) if line.starts_with('@') => depth += 1,
            Some(_) => {}
            None => return,
        }
    }
}

fn add(line: &str, paragraph: &mut String, pieces: &mut Vec<Piece>) {
    let piece = if let Some(text) = line.strip_prefix("== ") {
        Piece::Section(text.to_owned())
    } else if let Some(text) = line.strip_prefix("= ") {
        Piece::Title(text.to_owned())
    } else if let Some(text) = line.strip_prefix("[] ") {
        Piece::Step(text.to_owned())
    } else if let Some(text) = line.strip_prefix("    ") {
        Piece::Command(text.to_owned())
    } else if let Some(text) = line.strip_prefix("___") {
        Piece::Blank(text.trim().to_owned())
    } else if let Some((name, value)) = line.strip_prefix("| ").and_then(|row| row.split_once(" | ")) {
        Piece::Row(name.to_owned(), value.to_owned())
    } else if line.is_empty() {
        flush(paragraph, pieces);
        return;
    } else {
        if !paragraph.is_empty() {
            paragraph.push(' ');
        }
        paragraph.push_str(line);
        return;
    };
    flush(paragraph, pieces);
    pieces.push(piece);
}

fn flush(paragraph: &mut String, pieces: &mut Vec<Piece>) {
    if !paragraph.is_empty() {
        pieces.push(Piece::Text(std::mem::take(paragraph)));
    }
}

fn values(plan: &Plan) -> Vec<(&'static str, String)> {
    let parameters = plan.parameters();
    let amounts: Vec<_> = parameters.amounts.iter().map(|amount| amount.to_string()).collect();
    let addresses: Vec<_> = withdrawal_addresses(plan).iter().map(|address| address.to_checksum()).collect();
    let mut values = vec![
        ("title", parameters.title.clone()),
        ("plan", hex::encode(plan.hash())),
        ("network", network_of(plan).map_or("unknown", |network| network.name()).to_owned()),
        ("chain", parameters.chain_id.to_string()),
        ("validators", plan.validators().to_string()),
        ("amounts", format!("{} each", amounts.join(" and "))),
        ("withdrawal", addresses.join(", ")),
        ("t", plan.threshold().t().to_string()),
        ("n", plan.threshold().n().to_string()),
        ("words", plan.words().join(" ")),
    ];
    if let Some(ssv) = plan.ssv() {
        let last = ssv.first_nonce.saturating_add(u64::from(plan.validators()).saturating_sub(1));
        values.push(("owner", ssv.owner.to_checksum()));
        values.push(("first_nonce", ssv.first_nonce.to_string()));
        values.push(("nonces", format!("{} to {last}", ssv.first_nonce)));
    }
    values
}

/// Puts values in. What is put in is not looked at again, so that no title can bring a command in.
fn fill(line: &str, values: &[(&'static str, String)]) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn wrap(out: &mut String, first: &str, text: &str) {
    let indent = " ".repeat(first.chars().count());
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = indent.clone();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// A command that is too long goes on in the next line as a shell has it, so that it can be typed as it stands.
fn command(out: &mut String, text: &str) {
    const INDENT: usize = 10;
    let mut line = " ".repeat(INDENT);
    for (position, word) in text.split(' ').enumerate() {
        if position > 0 && line.chars().count() + 1 + word.chars().count() + 2 > WIDTH {
            out.push_str(&line);
            out.push_str(" \\\n");
            line = " ".repeat(INDENT + 2);
        } else if position > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('`', "")
}

#[cfg(test)]
mod tests {
    use dvkey_ceremony::agdkg::plan::Waivers;
    use dvkey_ceremony::testing::network::Setup;
    use dvkey_ceremony::testing::paper_rsa::PaperRsa;

    use super::*;

    fn plan(setup: &Setup, title: &str) -> Plan {
        let mut draft = setup.draft();
        draft.title = title.to_owned();
        Plan::parse(&draft.encode().unwrap(), Waivers::default(), &PaperRsa).unwrap()
    }

    #[test]
    fn every_participant_has_its_boxes_and_no_line_is_too_wide() {
        let ssv = plan(&Setup::ssv(4, 2), "{owner} <b>&");
        let text = text(&ssv);
        assert!(text.starts_with("Script of the key ceremony \"{owner} <b>&\"\n===="), "{text}");
        for (line, words) in text.lines().map(|line| (line, line.split_whitespace().count())) {
            assert!(line.chars().count() <= WIDTH || words <= 1, "{line}");
        }
        for one in ssv.participants() {
            assert!(text.matches(one.card.label()).count() >= 8, "{text}");
        }
        assert!(text.contains("nonces             7 to 8"), "{text}");
        // A long command goes on where a shell takes it.
        assert!(text.contains("verify output --withdrawal \\\n            0x"), "{text}");
        assert!(!text.contains("Walk 0") && !text.contains('@') && !text.contains("keystores and"), "{text}");
        let page = html(&ssv);
        assert!(page.contains("{owner} &lt;b&gt;&amp;") && !page.contains("<b>&"), "{page}");
        assert_eq!(page.matches("class=\"box\"").count(), text.matches("[ ] ").count());
    }

    #[test]
    fn other_plans_have_other_steps() {
        let mut setup = Setup::generic(2, 3, 1);
        setup.precommit = true;
        let text = text(&plan(&setup, "generic"));
        assert!(text.contains("Walk 0: pre-commits") && text.contains("its keystores"), "{text}");
        assert!(!text.contains("nonce") && !text.contains("registered by"), "{text}");
    }
}
