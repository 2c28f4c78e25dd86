#include "recorder/belief.h"

void belief_init(struct belief *belief, uint64_t wall_ns, uint64_t mono_ns)
{
    *belief = (struct belief){.wall_ns = wall_ns, .mono_ns = mono_ns};
}

uint64_t belief_time(struct belief *belief, uint64_t wall_ns, uint64_t mono_ns)
{
    uint64_t expected_ns = belief->wall_ns + (mono_ns - belief->mono_ns);
    bool is_ahead = wall_ns > expected_ns && wall_ns - expected_ns > BELIEF_AHEAD_NS;
    bool has_stayed = belief->since_ns != 0 && mono_ns - belief->since_ns >= BELIEF_AFTER_NS;
    if (is_ahead && !has_stayed) {
        belief->since_ns = belief->since_ns != 0 ? belief->since_ns : mono_ns;
        return expected_ns;
    }
    belief_init(belief, wall_ns, mono_ns);
    return wall_ns;
}

bool belief_is_doubt(const struct belief *belief)
{
    return belief->since_ns != 0;
}
