#include "base/item_id.h"

namespace crossover {

std::string to_string(const ItemId& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) return std::to_string(*number);
    return std::get<std::string>(id);
}

}  // namespace crossover
