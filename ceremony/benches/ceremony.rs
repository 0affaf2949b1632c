//! What each walk of a ceremony costs on one core: `cargo bench --features testing --bench ceremony`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use divan::Bencher;
use dvkey_ceremony::agdkg::outputs::assemble;
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::participant::Planned;
use dvkey_ceremony::testing::network::{Run, SEED, Setup};
use dvkey_ceremony::testing::paper_rsa::PaperRsa;

fn main() {
    divan::main();
}

/// Participants and validators: SSV clusters, one deposit and one registration for each validator.
const SHAPES: [(usize, u16); 4] = [(4, 1), (4, 100), (13, 1), (13, 100)];

fn shape((n, m): (usize, u16)) -> (Setup, Plan) {
    let setup = Setup { bound: false, ..Setup::ssv(n, m) };
    let plan = setup.plan();
    (setup, plan)
}

#[divan::bench(args = SHAPES, sample_count = 3, sample_size = 1)]
fn deal_and_check_it(bencher: Bencher<'_, '_>, of: (usize, u16)) {
    let (setup, plan) = shape(of);
    bencher
        .with_inputs(|| Planned::accept(setup.identity(0), plan.clone(), None).unwrap())
        .bench_local_values(|planned| planned.deal().unwrap());
}

#[divan::bench(args = SHAPES, sample_count = 3, sample_size = 1)]
fn import_all_deals_and_certify(bencher: Bencher<'_, '_>, of: (usize, u16)) {
    let (setup, plan) = shape(of);
    let (_, deals) = setup.all_dealt(&plan);
    bencher
        .with_inputs(|| setup.dealt(&plan, 0).0)
        .bench_local_values(|dealt| setup.certify(dealt, 0, &deals).unwrap());
}

#[divan::bench(args = SHAPES, sample_count = 3, sample_size = 1)]
fn import_all_certify_files_and_assemble(bencher: Bencher<'_, '_>, of: (usize, u16)) {
    let Run { plan, certifies, assembled, .. } = shape(of).0.run();
    let outputs = assembled.outputs;
    bencher.with_inputs(|| outputs.clone()).bench_local_values(|outputs| {
        dvkey_ceremony::agdkg::outputs::assemble_outputs(&plan, outputs, &certifies, &SEED, &PaperRsa).unwrap()
    });
}

#[divan::bench(args = [(4, 100)], sample_count = 3, sample_size = 1)]
fn audit_everything(bencher: Bencher<'_, '_>, of: (usize, u16)) {
    let Run { plan, deals, certifies, .. } = shape(of).0.run();
    bencher.bench_local(|| assemble(&plan, &deals, &[], &certifies, &SEED, &PaperRsa).unwrap());
}
