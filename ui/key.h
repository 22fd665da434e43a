/* key.h: a key as the program sees it: a code point, or one of these behind the last code point. */
#ifndef RADIXSCOPE_UI_KEY_H
#define RADIXSCOPE_UI_KEY_H

enum {
    K_NONE = 0,
    K_TAB = 9, K_ENTER = 13, K_ESC = 27, K_DELETE = 127,
    K_LEFT = 0x110000, K_RIGHT, K_UP, K_DOWN, K_HOME, K_END, K_PAGE_UP, K_PAGE_DOWN, K_BACKTAB, K_BACKSPACE,
    K_RESIZE,        /* the terminal has another size */
    K_INTERRUPT,     /* ^C */
    K_CLICK,         /* the mouse; where: term_mouse_at */
    K_DRAG,          /* it moves with its button held */
    K_RELEASE,
    K_WHEEL_UP, K_WHEEL_DOWN,
    K_OTHER,         /* a key without a name here */
};

#endif
