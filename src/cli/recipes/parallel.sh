# dvkey batch: {rows} rows in {shards} shards, plan {hash}
# Put the source of the passwords into DVKEY_PASSWORDS, such as: export DVKEY_PASSWORDS='--password-dir passwords'
parallel --will-cite --jobs {shards} --halt never dvkey batch run {plan} --work {work} --shard {}/{shards} --jobs 1 --memory 1GiB --no-input $DVKEY_PASSWORDS ::: $(seq {shards})
