#include <dlfcn.h>

#include <algorithm>
#include <vector>

#include "relay/fiber/scheduler.hpp"

namespace ringlay::fiber {
namespace {

constexpr int max_frames = 24;

std::string_view state_name(Fiber::State state) {
    switch (state) {
        case Fiber::State::ready:
            return "ready";
        case Fiber::State::running:
            return "running";
        case Fiber::State::parked:
            return "parked";
        case Fiber::State::done:
            return "done";
    }
    return "?";
}

void append_address(std::string& out, std::uintptr_t address) {
    constexpr char digits[] = "0123456789abcdef";
    Dl_info info{};
    std::uintptr_t shown = address;
    out += "    ";
    if (dladdr(reinterpret_cast<void*>(address), &info) != 0 && info.dli_fname != nullptr) {
        out += info.dli_fname;
        out += '+';
        shown = address - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
    }
    std::string hex;
    for (; shown != 0 || hex.empty(); shown >>= 4) hex.insert(hex.begin(), digits[shown & 15]);
    out += "0x" + hex + '\n';
}

// Frame pointers only (the whole program keeps them): no unwinder, no lock, no allocation in the
// stack that is looked at. For addr2line -e FILE OFFSET.
void append_stack(std::string& out, const Fiber& fiber) {
    if (fiber.state != Fiber::State::parked && fiber.state != Fiber::State::ready) return;
    SuspendedAt at = suspended_at(fiber.context);
    auto low = reinterpret_cast<std::uintptr_t>(fiber.stack.bottom);
    auto high = low + fiber.stack.size_bytes - 2 * sizeof(std::uintptr_t);
    for (int i = 0; i < max_frames && at.instruction != 0; ++i) {
        append_address(out, at.instruction);
        if (at.frame_pointer < low || at.frame_pointer > high || at.frame_pointer % 8 != 0) return;
        const auto* frame = reinterpret_cast<const std::uintptr_t*>(at.frame_pointer);
        if (frame[0] != 0 && frame[0] <= at.frame_pointer) return;  // stacks grow downwards
        at = {frame[0], frame[1]};
    }
}

}  // namespace

std::string Worker::dump() const {
    std::vector<const Fiber*> fibers;
    for (const Fiber* fiber = all_fibers_; fiber != nullptr; fiber = fiber->next_of_all) {
        fibers.push_back(fiber);
    }
    std::ranges::sort(fibers, {}, &Fiber::id);
    Nanos now = kernel_.now();
    std::string out =
        "worker " + options_.name + ": " + std::to_string(fibers.size()) + " fibers\n";
    for (const Fiber* fiber : fibers) {
        auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - fiber->since);
        out += "  #" + std::to_string(fiber->id) + " " + std::string(fiber->name) + ": ";
        out += state_name(fiber->state);
        if (fiber->state == Fiber::State::parked) {
            out += " on " + std::string(fiber->waits_for) + " for " +
                   std::to_string(waited.count()) + " ms";
        }
        if (fiber->is_cancelled) out += ", cancelled";
        out += '\n';
        append_stack(out, *fiber);
    }
    return out;
}

}  // namespace ringlay::fiber
