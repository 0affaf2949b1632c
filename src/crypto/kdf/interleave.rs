//! scrypt's mixing (RFC 7914, section 5, r = 8) of several keystores in step, for any width of register.
//!
//! A register holds one 16-byte row of several keystores, each in a 128-bit part of its own; four rows are a 64-byte
//! sub-block, held in diagonal order, so that Salsa20's rounds rotate rows inside their parts. Each keystore has its own
//! linear table V; its lines are joined to rows where they are read, and split where they are written.
//!
//! The keystores of one register are a set. A set's step needs a place of V that the step before has just named, and
//! memory is slow. So three sets take turns: at any time one is in the first half of its step and one in the second,
//! which fills the latencies of arithmetic, while the third waits for the lines it asked for.

/// Defines `smix` and what it needs, on top of the primitives of the file that calls it.
macro_rules! interleave {
    ($feature:literal, $line:ty, width: $width:literal, lines: $lines:literal) => {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        use zeroize::Zeroize;

        use super::{BLOCK_BYTES, Block, diagonal, undo_diagonal};

        /// Keystores in a register.
        pub(super) const WIDTH: usize = $width;

        /// Keystores that `smix` takes at most.
        pub(super) const LANES: usize = 3 * WIDTH;

        /// Four rows: one 64-byte sub-block of every keystore of a set.
        type Rows = [$line; 4];

        /// One block of one keystore's table.
        type Place = [[$line; $lines]; 16];

        /// Where the last sub-block comes first, as BlockMix reads them.
        const READ_ORDER: [usize; 16] = [15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];

        /// BlockMix writes its even sub-blocks into the first half and its odd ones into the second.
        const fn written(k: usize) -> usize {
            k / 2 + k % 2 * 8
        }

        /// The keystores of one register.
        struct Set {
            /// The running block and the next one; which is which alternates.
            states: [[Rows; 16]; 2],
            now: usize,
            /// The sub-block that goes into the next one.
            chain: Rows,
            /// Where each keystore's table starts.
            base: [usize; WIDTH],
            /// The places of V that this step reads.
            at: [usize; WIDTH],
        }

        impl Drop for Set {
            fn drop(&mut self) {
                for rows in self.states.as_flattened_mut() {
                    bytemuck::cast_slice_mut::<$line, u8>(rows).zeroize();
                }
                bytemuck::cast_slice_mut::<$line, u8>(&mut self.chain).zeroize();
            }
        }

        /// Runs SMix of RFC 7914 on each block, with N = `n`, a power of two from 2 on.
        ///
        /// Takes up to [`LANES`] blocks and a table of `n * BLOCK_BYTES` bytes for each, aligned to 64 bytes; panics where
        /// the table is shorter or there are more blocks.
        #[target_feature(enable = $feature)]
        pub(super) fn smix(blocks: &mut [Block], n: usize, table: &mut [u8]) {
            assert!(blocks.len() <= LANES, "as many blocks as there are lanes");
            let table: &mut [Place] = bytemuck::cast_slice_mut(&mut table[..blocks.len() * n * BLOCK_BYTES]);
            match blocks.len().div_ceil(WIDTH) {
                0 => {}
                1 => {
                    let mut sets = [empty_set()];
                    read_in(&mut sets, blocks, n);
                    fill(&mut sets, table, n);
                    mix_one(&mut sets, table, n);
                    write_out(&sets, blocks);
                }
                2 => {
                    let mut sets = [empty_set(), empty_set()];
                    read_in(&mut sets, blocks, n);
                    fill(&mut sets, table, n);
                    mix_two(&mut sets, table, n);
                    write_out(&sets, blocks);
                }
                _ => {
                    let mut sets = [empty_set(), empty_set(), empty_set()];
                    read_in(&mut sets, blocks, n);
                    fill(&mut sets, table, n);
                    mix_three(&mut sets, table, n);
                    write_out(&sets, blocks);
                }
            }
        }

        #[target_feature(enable = $feature)]
        fn empty_set() -> Set {
            Set { states: [[[zero(); 4]; 16]; 2], now: 0, chain: [zero(); 4], base: [0; WIDTH], at: [0; WIDTH] }
        }

        /// Where a set is not full, the places left over repeat its first keystore, table and all: the same bytes are
        /// written to the same place, and read by nobody else. The sets are filled where they stay, so that no copy of
        /// a block is left behind by a move.
        #[target_feature(enable = $feature)]
        fn read_in(sets: &mut [Set], blocks: &[Block], n: usize) {
            for (s, (set, blocks)) in sets.iter_mut().zip(blocks.chunks(WIDTH)).enumerate() {
                let lane = |l: usize| if l < blocks.len() { l } else { 0 };
                set.base = std::array::from_fn(|l| (s * WIDTH + lane(l)) * n);
                for k in 0..16 {
                    let mut parts = [[zero(); $lines]; WIDTH];
                    for (l, part) in parts.iter_mut().enumerate() {
                        let mut words = diagonal(&blocks[lane(l)], k);
                        bytemuck::cast_slice_mut::<$line, u8>(part)
                            .copy_from_slice(bytemuck::cast_slice::<u32, u8>(&words));
                        words.zeroize();
                    }
                    set.states[0][k] = join(parts);
                    bytemuck::cast_slice_mut::<$line, u8>(parts.as_flattened_mut()).zeroize();
                }
            }
        }

        #[target_feature(enable = $feature)]
        fn write_out(sets: &[Set], blocks: &mut [Block]) {
            for (set, blocks) in sets.iter().zip(blocks.chunks_mut(WIDTH)) {
                for k in 0..16 {
                    let mut parts = split(set.states[set.now][k]);
                    for (block, part) in blocks.iter_mut().zip(&parts) {
                        let mut words = [0u32; 16];
                        bytemuck::cast_slice_mut::<u32, u8>(&mut words)
                            .copy_from_slice(bytemuck::cast_slice::<$line, u8>(part));
                        undo_diagonal(&words, block, k);
                        words.zeroize();
                    }
                    bytemuck::cast_slice_mut::<$line, u8>(parts.as_flattened_mut()).zeroize();
                }
            }
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn quarter<const LEFT: i32, const RIGHT: i32>(to: $line, a: $line, b: $line) -> $line {
            xor(to, rotate::<LEFT, RIGHT>(add(a, b)))
        }

        /// Salsa20/8 on a sub-block of each set. What is written for all sets at once does not wait for one another.
        #[inline]
        #[target_feature(enable = $feature)]
        fn salsa20_8<const S: usize>(input: [Rows; S]) -> [Rows; S] {
            let mut x = input;
            for _ in 0..4 {
                x = x.map(|[a, b, c, d]| [a, quarter::<7, 25>(b, a, d), c, d]);
                x = x.map(|[a, b, c, d]| [a, b, quarter::<9, 23>(c, b, a), d]);
                x = x.map(|[a, b, c, d]| [a, b, c, quarter::<13, 19>(d, c, b)]);
                x = x.map(|[a, b, c, d]| [quarter::<18, 14>(a, d, c), b, c, d]);
                x = x.map(|[a, b, c, d]| [a, shuffle::<0x93>(b), shuffle::<0x4e>(c), shuffle::<0x39>(d)]);
                x = x.map(|[a, b, c, d]| [a, b, c, quarter::<7, 25>(d, a, b)]);
                x = x.map(|[a, b, c, d]| [a, b, quarter::<9, 23>(c, d, a), d]);
                x = x.map(|[a, b, c, d]| [a, quarter::<13, 19>(b, c, d), c, d]);
                x = x.map(|[a, b, c, d]| [quarter::<18, 14>(a, b, c), b, c, d]);
                x = x.map(|[a, b, c, d]| [a, shuffle::<0x39>(b), shuffle::<0x4e>(c), shuffle::<0x93>(d)]);
            }
            std::array::from_fn(|s| std::array::from_fn(|row| add(x[s][row], input[s][row])))
        }

        /// Steps 1 and 2 of ROMix: V_i = X; X = BlockMix(X).
        #[target_feature(enable = $feature)]
        fn fill<const S: usize>(sets: &mut [Set; S], table: &mut [Place], n: usize) {
            for i in 0..n {
                let mut x: [Rows; S] = std::array::from_fn(|s| sets[s].states[sets[s].now][15]);
                for k in 0..16 {
                    for (x, set) in x.iter_mut().zip(sets.iter()) {
                        let rows = set.states[set.now][k];
                        for (part, base) in split(rows).into_iter().zip(set.base) {
                            table[base + i][k] = part;
                        }
                        *x = std::array::from_fn(|row| xor(x[row], rows[row]));
                    }
                    x = salsa20_8(x);
                    for (x, set) in x.iter().zip(sets.iter_mut()) {
                        set.states[1 - set.now][written(k)] = *x;
                    }
                }
                for set in sets.iter_mut() {
                    set.now = 1 - set.now;
                }
            }
        }

        /// Integerify: the first word of the last sub-block names the place; N is a power of two below 2^32.
        #[inline]
        #[target_feature(enable = $feature)]
        fn aim(set: &mut Set, n: usize) {
            let words = first_words(set.states[set.now][15][0]);
            set.at = std::array::from_fn(|l| set.base[l] + (words[l] as usize & (n - 1)));
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn prefetch(set: &Set, table: &[Place], k: usize) {
            for at in set.at {
                _mm_prefetch::<_MM_HINT_T0>((&raw const table[at][k]).cast());
            }
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn read(set: &Set, table: &[Place], k: usize) -> Rows {
            join(std::array::from_fn(|l| table[set.at[l]][k]))
        }

        /// X XOR V_j, the last sub-block of which is what BlockMix starts with.
        #[inline]
        #[target_feature(enable = $feature)]
        fn begin(set: &mut Set, table: &[Place]) {
            let (mine, read) = (set.states[set.now][15], read(set, table, 15));
            set.chain = std::array::from_fn(|row| xor(mine[row], read[row]));
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn absorb(set: &Set, x: Rows, table: &[Place], k: usize) -> Rows {
            let (mine, read) = (set.states[set.now][k], read(set, table, k));
            std::array::from_fn(|row| xor3(x[row], mine[row], read[row]))
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn finish(set: &mut Set, n: usize) {
            set.now = 1 - set.now;
            aim(set, n);
        }

        /// Half a step of one set: sub-blocks 0 to 7, or 8 to 15; `waiting` has its lines fetched meanwhile.
        #[inline]
        #[target_feature(enable = $feature)]
        fn half<const SECOND: bool>(set: &mut Set, waiting: Option<&Set>, table: &[Place]) {
            if !SECOND {
                begin(set, table);
            }
            let mut x = [set.chain];
            for k in 0..8 {
                let own = if SECOND { k + 8 } else { k };
                x = [absorb(set, x[0], table, own)];
                if let Some(waiting) = waiting {
                    prefetch(waiting, table, READ_ORDER[2 * k]);
                    prefetch(waiting, table, READ_ORDER[2 * k + 1]);
                }
                x = salsa20_8(x);
                set.states[1 - set.now][written(own)] = x[0];
            }
            set.chain = x[0];
        }

        /// The first half of a step of one set beside the second half of a step of another.
        #[inline]
        #[target_feature(enable = $feature)]
        fn halves(first: &mut Set, second: &mut Set, waiting: Option<&Set>, table: &[Place]) {
            begin(first, table);
            let mut x = [first.chain, second.chain];
            for k in 0..8 {
                x = [absorb(first, x[0], table, k), absorb(second, x[1], table, k + 8)];
                if let Some(waiting) = waiting {
                    prefetch(waiting, table, READ_ORDER[2 * k]);
                    prefetch(waiting, table, READ_ORDER[2 * k + 1]);
                }
                x = salsa20_8(x);
                first.states[1 - first.now][written(k)] = x[0];
                second.states[1 - second.now][written(k + 8)] = x[1];
            }
            [first.chain, second.chain] = x;
        }

        /// Step 3 of ROMix: j = Integerify(X) mod N; X = BlockMix(X XOR V_j). One set alone must wait.
        #[target_feature(enable = $feature)]
        fn mix_one([a]: &mut [Set; 1], table: &[Place], n: usize) {
            aim(a, n);
            for _ in 0..n {
                for k in READ_ORDER {
                    prefetch(a, table, k);
                }
                half::<false>(a, None, table);
                half::<true>(a, None, table);
                finish(a, n);
            }
        }

        /// Step 3 of ROMix for two sets: each waits while the other is alone.
        #[target_feature(enable = $feature)]
        fn mix_two([a, b]: &mut [Set; 2], table: &[Place], n: usize) {
            aim(a, n);
            aim(b, n);
            for _ in 0..n {
                half::<false>(a, Some(b), table);
                halves(b, a, None, table);
                finish(a, n);
                half::<true>(b, Some(a), table);
                finish(b, n);
            }
        }

        /// Step 3 of ROMix for three sets: two compute and one waits, always.
        #[target_feature(enable = $feature)]
        fn mix_three([a, b, c]: &mut [Set; 3], table: &[Place], n: usize) {
            aim(a, n);
            aim(b, n);
            aim(c, n);
            half::<false>(a, Some(b), table);
            for step in 0..n {
                if step > 0 {
                    halves(a, c, Some(b), table);
                    finish(c, n);
                }
                halves(b, a, Some(c), table);
                finish(a, n);
                halves(c, b, Some(a), table);
                finish(b, n);
            }
            half::<true>(c, None, table);
            finish(c, n);
        }
    };
}

pub(super) use interleave;
