#include "relay/hosts/host_figures.hpp"

namespace ringlay::hosts {

HostFigure figure_of(const HostFigures& figures, std::string_view name) {
    auto found = figures.find(name);
    return found == figures.end() ? HostFigure() : found->second;
}

std::uint64_t next_seq_of(const HostRow& row, const HostFigure& figure) {
    return row.cursor_order ? row.cursor_order->cursor.value_or(0) : figure.seq;
}

std::shared_ptr<const HostFigures> FigureBook::get() {
    const bool is_fresh = has_figures_ && env_.clock.now() - refreshed_ < max_age;
    if (!is_fresh && !is_refreshing_) refresh();
    // Another fiber is at it: what there was will do, if there was anything.
    if (!has_figures_) static_cast<void>(first_.wait());
    return figures_;
}

void FigureBook::refresh() {
    is_refreshing_ = true;
    const auto accounts = sources_.accounts();
    auto figures = std::make_shared<HostFigures>();
    for (const event_log::Host& host : sources_.log_hosts()) {
        auto count = accounts.find(host.name);
        figures->insert_or_assign(
            host.name, HostFigure{.seq = host.upstream_seq,
                                  .accounts = count == accounts.end() ? 0 : count->second});
    }
    figures_ = std::move(figures);
    refreshed_ = env_.clock.now();
    has_figures_ = true;
    is_refreshing_ = false;
    first_.set();
}

}  // namespace ringlay::hosts
