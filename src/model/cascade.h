/* cascade.h: attention of a batch whose members share a prefix, with the shared part read once.
 *
 *      job 0   |==== shared ====|- own -|q        the shared rows, a block of 16 at a time, times the queries
 *      job 1   |==== shared ====|--- own ---|q    of all jobs: one matrix product a block; then each job's own
 *      job 2   |==== shared ====|-|q              rows with its own queries
 *
 * Whoever matched the same nodes of the tree has the same rows there: they are found by comparing the jobs' tables
 * of rows, not by asking the tree. The two parts are merged by their running maximum and sum (log-sum-exp), as
 * FlashInfer's cascade does; because blocks are always merged in the order of their absolute positions, the bits
 * are those of the plain way, in exact and in fast mode. Adapters do not matter: their rows differ where they do.
 */
#ifndef RADIXSCOPE_MODEL_CASCADE_H
#define RADIXSCOPE_MODEL_CASCADE_H

#include <stdbool.h>
#include <stdint.h>

/* A shared part is at least one block of attention (kernel.h). */
#define CASCADE_LEAST 16

/* Heads with fewer floats are read alone: the kernels put several of them into one vector for a single token, and
 * sharing was 10 % slower (bench_model, 260K). */
#define CASCADE_HEAD_DIM 16

/* What is needed of a job: where each of its positions' rows begins, and how many positions are before the tokens
 * that are computed now. */
struct cascade_job {
    const float *const *row; /* (before) */
    uint32_t before;
};

/* Jobs order[first] … order[first + count - 1] share their first `shared` positions (a multiple of 16; 0 when
 * count is 1). */
struct cascade_group {
    uint32_t first, count, shared;
};

/* Group n jobs: order (n) and group (n) are filled; returns how many groups. The jobs of a group share
 * with its first job at least half of what the most alike of them shares, so that a distant cousin does not spoil a
 * long prefix. */
uint32_t cascade_plan(const struct cascade_job *job, uint32_t n, uint32_t *order, struct cascade_group *group);

#endif
