//! `dvkey batch recipe`: what an engine that runs many workers needs to run a plan's shards.

use std::path::Path;

use super::load;
use crate::cli::args::{Engine, RecipeArguments};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::cli::ui::words::printable;

const KUBERNETES: &str = include_str!("../../recipes/kubernetes.yaml");
const SLURM: &str = include_str!("../../recipes/slurm.sh");
const PARALLEL: &str = include_str!("../../recipes/parallel.sh");

pub(super) fn run(arguments: &RecipeArguments, printer: &Printer) -> Result<Exit, Failure> {
    let plan = load(&arguments.plan, None)?;
    let hash = plan.hash.to_string();
    let plan_path = safe(&arguments.plan)?;
    let work = safe(&arguments.work)?;
    let (template, path) = match arguments.engine {
        // The plan is where the claim is mounted, whatever its folder here.
        Engine::Kubernetes => (KUBERNETES, plan_path.rsplit('/').next().unwrap_or_default().to_owned()),
        Engine::Slurm => (SLURM, plan_path),
        Engine::Parallel => (PARALLEL, plan_path),
    };
    let values = [
        ("{plan}", path),
        ("{work}", work),
        ("{shards}", arguments.shards.to_string()),
        ("{rows}", plan.rows.to_string()),
        ("{short}", hash.get(..8).unwrap_or_default().to_owned()),
        ("{hash}", hash),
    ];
    let text = values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value));
    printer.text(text.as_bytes());
    Ok(Exit::Done)
}

/// A path that a shell, a shell inside it, YAML and Kubernetes all read as it stands. Each has signs of its own that others
/// pass on, and a recipe is read by several of them in turn: what would need quoting is refused.
fn safe(path: &Path) -> Result<String, Failure> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/+@".contains(&byte);
    match path.to_str() {
        Some(text) if !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_safe) => Ok(text.to_owned()),
        _ => {
            let headline = format!("a recipe cannot name {}", printable(&format!("{:?}", path.display().to_string())));
            Err(Failure::new(Code::BatchRecipe, headline)
                .cause("only letters, digits and . _ - / + @ mean the same to all that read a recipe")
                .hint("give the plan and the work folder such names, or link to them"))
        }
    }
}
