<?php
// The device:ping of this generation knows the kind 'fast' for a whole poller group.
