#!/bin/bash
# dvkey batch: {rows} rows in {shards} shards, plan {hash}
# Submit with sbatch. Each task does one shard; submitted again, it goes on where it was.
#SBATCH --job-name=dvkey-{short}
#SBATCH --array=1-{shards}
#SBATCH --cpus-per-task=2
#SBATCH --mem=2G
#SBATCH --requeue
#SBATCH --output=dvkey-%A-%a.log
set -euo pipefail

exec dvkey batch run {plan} --work {work} \
    --shard "$SLURM_ARRAY_TASK_ID/{shards}" \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --no-input \
    "$@"
# Give the source of the passwords behind the name of this script, such as: --password-dir passwords
