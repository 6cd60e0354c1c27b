# SPDX-License-Identifier: MIT OR Apache-2.0
# A part of a lower layer that wants a higher one.
# FAILS: dependencies point downward
helix_check_layer(sdk sdk)
helix_check_layer(low lib sdk)
helix_check_layer(middle core sdk low)
helix_check_layer(one outer sdk low)
if(BREAK_RULE)
  helix_check_layer(other lib sdk middle)
else()
  helix_check_layer(other hal sdk low)
endif()
