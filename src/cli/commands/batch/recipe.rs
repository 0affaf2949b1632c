//! `dvkey batch recipe`: what an engine that runs many workers needs to run a plan's shards.

use std::path::Path;

use super::load;
use crate::cli::args::{Engine, RecipeArguments};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;

const KUBERNETES: &str = include_str!("../../recipes/kubernetes.yaml");
const SLURM: &str = include_str!("../../recipes/slurm.sh");
const PARALLEL: &str = include_str!("../../recipes/parallel.sh");

pub(super) fn run(arguments: &RecipeArguments, printer: &Printer) -> Result<Exit, Failure> {
    let plan = load(&arguments.plan, None)?;
    let hash = plan.hash.to_string();
    let word = |path: &Path| shell_words::quote(&path.display().to_string()).into_owned();
    let (template, path) = match arguments.engine {
        // The plan is where the claim is mounted, whatever its folder here.
        Engine::Kubernetes => {
            let name = arguments.plan.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            (KUBERNETES, name)
        }
        Engine::Slurm => (SLURM, word(&arguments.plan)),
        Engine::Parallel => (PARALLEL, word(&arguments.plan)),
    };
    let values = [
        ("{plan}", path),
        ("{work}", word(&arguments.work)),
        ("{shards}", arguments.shards.to_string()),
        ("{rows}", plan.rows.to_string()),
        ("{short}", hash.get(..8).unwrap_or_default().to_owned()),
        ("{hash}", hash),
    ];
    let text = values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value));
    printer.text(text.as_bytes());
    Ok(Exit::Done)
}
