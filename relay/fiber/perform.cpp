#include <algorithm>
#include <cerrno>
#include <cstring>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/scheduler.hpp"

namespace ringlay::fiber {

Result<std::int64_t> perform(Op& op, Deadline deadline) {
    Fiber& fiber = Scheduler::running();
    Kernel& kernel = fiber.worker.kernel();
    op.fiber = &fiber;
    op.done = false;
    bool was_submitted = false;
    Wake wake = Scheduler::park("operation", deadline, [&] {
        was_submitted = true;
        kernel.submit(op);
    });
    if (was_submitted && !op.done) {
        kernel.cancel(op);
        // The kernel points at `op`, which is on our stack: no one leaves before its completion.
        while (!op.done) Scheduler::park_until_woken("operation to end");
    }
    if (!was_submitted || op.result == -ECANCELED) {
        return wake == Wake::timed_out ? fail(Errc::timed_out, "deadline passed")
                                       : fail(Errc::cancelled, "cancelled");
    }
    if (op.result < 0) return std::unexpected(error_of(op.result));
    return op.result;
}

Error error_of(std::int64_t negative_errno) {
    int number = static_cast<int>(-negative_errno);
    const char* text = strerrordesc_np(number);
    std::string_view what = text == nullptr ? std::string_view("unknown error") : text;
    switch (number) {
        case ECANCELED:
            return {Errc::cancelled, what};
        case ETIMEDOUT:
            return {Errc::timed_out, what};
        case ECONNRESET:
        case ECONNABORTED:
        case EPIPE:
        case ENOTCONN:
        case ESHUTDOWN:
        case EBADF:
            return {Errc::closed, what};
        case ECONNREFUSED:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case EADDRNOTAVAIL:
            return {Errc::unreachable, what};
        case ENOENT:
        case ENOTDIR:
            return {Errc::not_found, what};
        case EEXIST:
            return {Errc::exists, what};
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return {Errc::no_space, what};
        case EACCES:
        case EPERM:
        case EROFS:
            return {Errc::no_permission, what};
        case EAGAIN:
        case EBUSY:
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
        case EADDRINUSE:
            return {Errc::busy, what};
        case EOPNOTSUPP:
        case EINVAL:
            return {Errc::unsupported, what};
        default:
            return {Errc::io, what};
    }
}

void BlockingPool::perform_job(std::move_only_function<void()> job) {
    Op op;
    op.kind = Op::Kind::blocking;
    op.job = &job;
    CancelBlocker blocker;
    RINGLAY_ASSERT(perform(op, Deadline::never()).has_value());
}

}  // namespace ringlay::fiber
