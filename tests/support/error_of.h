#pragma once

#include <gtest/gtest.h>

#include "base/error.h"

namespace crossover {

/// What `call` throws; a failure of the test where it throws nothing.
template <class Call>
Error error_of(Call call) {
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(System::internal, ErrorKind::internal, "none");
}

}  // namespace crossover
