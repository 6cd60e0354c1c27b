# SPDX-License-Identifier: MIT OR Apache-2.0
# A part that wants one that comes later, or a circle.
# FAILS: is not declared yet
helix_check_layer(sdk sdk)
helix_check_layer(low lib sdk)
helix_check_layer(middle core sdk low)
helix_check_layer(one outer sdk low)
if(BREAK_RULE)
  helix_check_layer(other core sdk later)
else()
  helix_check_layer(other core sdk middle)
endif()
